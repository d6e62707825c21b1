package main

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"statnet/internal/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"statnet": main})
}

// TestScripts meets the command line as a user does: see testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Setup: func(e *testscript.Env) error {
			wd, err := os.Getwd()
			e.Setenv("MODULE", wd)
			return err
		},
	})
}

// exits runs a command and compares its exit code: exits 2 statnet init
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		status := regexp.MustCompile(`exit status (\d+)`).FindStringSubmatch(err.Error())
		if status == nil {
			ts.Fatalf("%s: %v", strings.Join(args[1:], " "), err)
		}
		got, _ = strconv.Atoi(status[1])
	}
	if got != want {
		ts.Fatalf("%s: exit code %d (%s), want %d", strings.Join(args[1:], " "), got, cli.Code(got), want)
	}
}

// TestEveryCommandExplainsItself: a line in the list, and errors instead of
// exits.
func TestEveryCommandExplainsItself(t *testing.T) {
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Short == "" {
			t.Errorf("%s: no short description", c.CommandPath())
		}
		if c.Run != nil {
			t.Errorf("%s: has Run, wants RunE: only main exits", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(rootCommand())
}

// TestExitCodesAreTheSameEverywhere: the constants, the help and the manual.
func TestExitCodesAreTheSameEverywhere(t *testing.T) {
	topic, _, err := rootCommand().Find([]string{"exit-codes"})
	if err != nil {
		t.Fatal(err)
	}
	manual, err := os.ReadFile("docs/reference/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cli.Codes {
		if row := "\n| " + strconv.Itoa(int(c)) + " | " + c.String() + " |"; !strings.Contains(string(manual), row) {
			t.Errorf("docs/reference/exit-codes.md lacks %q", row)
		}
		row := regexp.MustCompile(`(?m)^ +` + strconv.Itoa(int(c)) + `  ` + regexp.QuoteMeta(c.String()) + `$`)
		if !row.MatchString(topic.Long) {
			t.Errorf("help exit-codes lacks %d %s:\n%s", int(c), c, topic.Long)
		}
	}
}
