package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"statnet/internal/cli"
)

// help is `statnet help TOPIC`. cobra's own succeeds for topics that do not exist.
func help(cmd *cobra.Command, args []string) error {
	topic, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return cli.Usagef("statnet --help", "statnet help %s: no such topic, e.g. statnet help query", strings.Join(args, " "))
	}
	topic.InitDefaultHelpFlag()
	return topic.Help()
}

// argWords says of wrong arguments what cobra leaves out: how it is done.
func argWords(cmd *cobra.Command, args []string, err error) error {
	var known *cli.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	given := "no argument given"
	if len(args) > 0 {
		given = "unexpected argument " + args[len(args)-1]
	}
	return cli.Usagef(cmd.CommandPath()+" --help", "%s: %s; usage: %s", cmd.CommandPath(), given, strings.TrimSuffix(cmd.UseLine(), " [flags]"))
}

// examples are values that would work, by the type of a flag.
var examples = map[string]string{
	"int": "a whole number, e.g. 3", "uint": "a whole number, e.g. 3", "uint64": "a whole number from 0 on, e.g. 3",
	"float64": "a number, e.g. 0.9", "bool": "true or false, e.g. true",
}

// flagWords says of a wrong flag its name, the value given and one that would
// work. The parser's own words name functions of Go.
func flagWords(cmd *cobra.Command, err error) string {
	var value *pflag.InvalidValueError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &value):
		f := value.GetFlag()
		must, ok := examples[f.Value.Type()]
		if !ok {
			must = strings.TrimLeft(strings.TrimPrefix(errors.Unwrap(value).Error(), value.GetValue()), ": ")
			if f.DefValue != "" {
				must += ", e.g. " + f.DefValue
			}
			return "--" + f.Name + " " + value.GetValue() + ": " + must
		}
		return "--" + f.Name + " " + value.GetValue() + ": must be " + must
	case errors.As(err, &unknown):
		near := ""
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if n := unknown.GetSpecifiedName(); len(n) > 2 && (strings.HasPrefix(n, f.Name) || strings.HasPrefix(f.Name, n)) {
				near = "; did you mean --" + f.Name + "?"
			}
		})
		return err.Error() + near
	}
	return err.Error()
}
