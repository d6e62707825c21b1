package fsm

// Labelled and Be64 are exported for tests against known answers, Decide for
// the quorum property.
var (
	Labelled = labelled
	Be64     = be64
	Decide   = decide
)
