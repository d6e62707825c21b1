// Package config turns the two YAML files of statnet into typed values, and
// says exactly what is wrong when a file cannot be one.
//
//	cluster.yaml ──▶ strict decoder ──▶ Cluster ──WithDefaults──▶ Validate ──▶ every node, same bytes
//	NODE.yaml    ──▶ strict decoder ──▶ Node    ──WithDefaults──▶ Validate ──▶ one process
//	                      │                                          │
//	                      └──────────────▶ Problems ◀────────────────┘
//	                       file:line:col, the line, a caret, a value that would work
//
// The decoder is our own walk over the syntax tree of goccy/go-yaml, because
// every problem has to be reported at once: the library's decoder stops at the
// first. The meaning, unit and default of each field are struct tags, so that
// the documentation (`statnet help config`), the JSON schema, the defaults and
// the examples in error messages cannot drift apart:
//
//	yaml      the key; "-" is not part of the file
//	doc       what it means, with its unit
//	default   the value an absent key has
//	required  "true" if the key must be written
//	example   a value that would work
//	enum      the words allowed, separated by "|"
//
// What this package does not check: that a public key belongs to anybody, that
// addresses answer, that certificates are valid. It opens no key file; it only
// looks at its mode.
package config
