package nodeconfig

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"statnet/config"
	"statnet/internal/cli"
)

const plain = "version: 1\nrole: gateway\nid: gw-1\n"

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "node.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func flags(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	f := pflag.NewFlagSet("test", pflag.ContinueOnError)
	f.String(cli.FlagConfig, "", "")
	f.String(cli.FlagDataDir, "", "")
	f.String(cli.FlagLogLevel, "", "")
	f.Bool(cli.FlagQuiet, false, "")
	f.String(cli.FlagOutput, "", "")
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	return f
}

func origin(origins []Origin, key string) string {
	i := slices.IndexFunc(origins, func(o Origin) bool { return o.Key == key })
	if i < 0 {
		return ""
	}
	return origins[i].From
}

func TestFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	const file = plain + "data_dir: file\n"
	for _, tt := range []struct {
		name       string
		text, env  string
		args       []string
		want, from string
	}{
		{"default", plain, "", nil, "data", "default"},
		{"file", file, "", nil, "file", "node.yaml:4:11"},
		{"environment over file", file, "env", nil, "env", "environment STATNET_DATA_DIR"},
		{"environment over default", plain, "env", nil, "env", "environment STATNET_DATA_DIR"},
		{"flag over all", file, "env", []string{"--data-dir", "flag"}, "flag", "flag --data-dir"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("STATNET_DATA_DIR", tt.env)
			n, origins, err := Merge(write(t, tt.text), flags(t, tt.args...))
			if err != nil {
				t.Fatal(err)
			}
			if n.DataDir != tt.want {
				t.Errorf("data_dir = %q, want %q", n.DataDir, tt.want)
			}
			if got := origin(origins, "data_dir"); got != tt.from {
				t.Errorf("origin = %q, want %q", got, tt.from)
			}
		})
	}
}

// TestTrapsOfViper: each was measured with viper v1.21.0 and its own decoder.
func TestTrapsOfViper(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       string // part of the error
	}{
		{"30 is not 30 ns", plain + "flush_interval: 30\n", "30 has no unit"},
		{"a misspelt key is not ignored", plain + "flush_intervall: 1m\n", "did you mean flush_interval?"},
		{"Name and name do not merge", plain + "data_dir: a\nData_Dir: b\n", "Data_Dir: unknown key; did you mean data_dir?"},
		{"a key with a dot does not come apart", plain + "log.level: debug\n", "log.level: unknown key"},
		{"a number is not a text", plain + "data_dir: 5\n", "5 is a number, not text"},
		{"a text is not a list", plain + "patches: a,b\n", "is text, not a list"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := Merge(write(t, tt.text), nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Merge = %v, want %q", err, tt.want)
			}
			var problems config.Problems
			if !errors.As(err, &problems) || problems[0].Line == 0 {
				t.Errorf("error has no line: %v", err)
			}
		})
	}
}

func TestSevenDaysAreNotZero(t *testing.T) {
	n, _, err := Merge(write(t, plain+"patches: [{id: a, patient: p-1, source: {kind: synth, history: 7d}}]\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := n.Patches[0].Source.History.Std(), 7*24*time.Hour; got != want {
		t.Errorf("history = %v, want %v", got, want)
	}
}

func TestValuesKeepTheirCase(t *testing.T) {
	n, _, err := Merge(write(t, plain+"data_dir: /Var/Lib\npatches: [{id: a, patient: p-1, source: {kind: rr, file: Beats.CSV, start: 2026-11-20T00:00:00Z}}]\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if n.DataDir != "/Var/Lib" || n.Patches[0].Source.File != "Beats.CSV" {
		t.Errorf("values = %q, %q, want their case kept", n.DataDir, n.Patches[0].Source.File)
	}
	if got, want := n.Patches[0].Source.Start, time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("start = %v, want %v", got, want)
	}
}

func TestEnvironmentAloneIsSeen(t *testing.T) {
	t.Setenv("STATNET_FLUSH_INTERVAL", "30s")
	t.Setenv("STATNET_KEYS_RECORD_KEY_FILE", "/run/Record.key")
	t.Setenv("STATNET_LOG", "hides log.level under AutomaticEnv")
	n, _, err := Merge(write(t, plain+"log: {level: debug}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := n.FlushInterval.String() + " " + n.Keys.RecordKeyFile + " " + n.Log.Level; got != "30s /run/Record.key debug" {
		t.Errorf("merged = %q, want 30s /run/Record.key debug", got)
	}
}

func TestWrongEnvironmentAndFileAreReportedTogether(t *testing.T) {
	t.Setenv("STATNET_FLUSH_INTERVAL", "30")
	t.Setenv("STATNET_LISTEN", "127.0.0.1:7000")
	_, _, err := Merge(write(t, plain+"colour: red\n"), flags(t, "--log-level", "loud"))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"environment STATNET_FLUSH_INTERVAL: 30 has no unit",
		"environment STATNET_LISTEN: listen: a gateway only dials out",
		`flag --log-level: "loud" is not one of`,
		"node.yaml:4:1: colour: unknown key",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
}

func TestVersionIsNotTakenFromTheEnvironment(t *testing.T) {
	t.Setenv("STATNET_VERSION", "v0.3.1")
	if _, _, err := Merge(write(t, plain), nil); err != nil {
		t.Errorf("Merge = %v: STATNET_VERSION is a build's variable", err)
	}
}

func TestUnknownEnvironmentIsPointedAt(t *testing.T) {
	got := UnknownEnv([]string{"STATNET_LISTENN=x", "STATNET_LISTEN=x", "STATNET_CONFIG=x", "PATH=x", "STATNET_A=b=c"})
	if want := []string{"STATNET_A", "STATNET_LISTENN"}; !slices.Equal(got, want) {
		t.Errorf("UnknownEnv = %v, want %v", got, want)
	}
}
