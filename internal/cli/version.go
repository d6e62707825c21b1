package cli

import "runtime/debug"

// version is set by the release build:
//
//	go build -ldflags "-X statnet/internal/cli.version=v0.1.0"
var version string

// Version names the program: the release, else the commit it was built from,
// else "devel".
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}
