package nodeconfig

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"statnet/config"
	"statnet/internal/cli"
)

// flagOf names the flags that override a key.
var flagOf = map[string]string{"data_dir": cli.FlagDataDir, "log.level": cli.FlagLogLevel}

// notKeys are environment variables with our prefix that are no keys.
var notKeys = []string{"STATNET_CONFIG", "STATNET_DATA", "STATNET_VERSION"}

// Origin says where one value came from.
type Origin struct {
	Key  string `json:"key"`
	Text string `json:"value"`
	From string `json:"origin"` // "flag --data-dir", "environment STATNET_LISTEN", "node.yaml:7:11", "default"
}

// ReadNode merges NODE.yaml with flags and environment, validates the result,
// makes its paths absolute and checks its key files. flags may be nil. Errors
// of content are config.Problems.
func ReadNode(path string, flags *pflag.FlagSet) (*config.Node, []Origin, error) {
	node, origins, err := Merge(path, flags)
	if err != nil {
		return nil, nil, err
	}
	// A path in the file is relative to the file; one that was typed is relative
	// to where it was typed.
	if f := lookup(flags, cli.FlagDataDir); f != nil && f.Changed {
		if node.DataDir, err = filepath.Abs(node.DataDir); err != nil {
			return nil, nil, err
		}
	}
	node.Resolve(filepath.Dir(path))
	if err := node.CheckKeyFiles(); err != nil {
		return nil, nil, err
	}
	return node, origins, nil
}

// Merge is ReadNode without touching any other file: paths stay as written.
func Merge(path string, flags *pflag.FlagSet) (*config.Node, []Origin, error) {
	data, err := readLimited(path)
	if err != nil {
		return nil, nil, err
	}
	from, problems := overrides(flags)
	merged, file, err := merge(path, data, flags, from)
	if err != nil {
		return nil, nil, err
	}
	node, err := file.Finish(merged, func(key string) string { return from[key] })
	if err != nil || len(problems) > 0 {
		var more config.Problems
		errors.As(err, &more)
		return nil, nil, append(problems, more...)
	}
	return node, origins(node, file, from), nil
}

func readLimited(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read node file: %w", err)
	}
	if info.Size() > config.MaxClusterBytes {
		return nil, fmt.Errorf("read node file %s: %d bytes, more than %d", path, info.Size(), config.MaxClusterBytes)
	}
	return os.ReadFile(path)
}

// overrides lists the keys that a flag or the environment sets, with the name
// of the place. Texts that are no value of their key are reported here, where
// the place is known, and not passed on.
func overrides(flags *pflag.FlagSet) (map[string]string, config.Problems) {
	from := map[string]string{}
	var problems config.Problems
	try := func(k config.Key, place, text string) {
		from[k.Path] = place
		var ps config.Problems
		if errors.As(k.CheckText(place, text), &ps) {
			problems = append(problems, ps...)
			delete(from, k.Path)
		}
	}
	for _, k := range config.NodeScalars() {
		if f := lookup(flags, flagOf[k.Path]); f != nil && f.Changed {
			try(k, "flag --"+f.Name, f.Value.String())
		} else if text := os.Getenv(k.Env()); text != "" {
			try(k, "environment "+k.Env(), text)
		}
	}
	return from, problems
}

func lookup(flags *pflag.FlagSet, name string) *pflag.Flag {
	if flags == nil || name == "" {
		return nil
	}
	return flags.Lookup(name)
}

// merge lets viper decide which value of a key wins.
//
//	30 = 30 ns, 7d = 0         config.NodeCodec and config.FromText: own Duration
//	typos, Name/name, dots     NodeCodec refuses unknown keys before viper sees them
//	environment-only values    each key is bound to its variable by name
//	a variable hides a branch  STATNET_LOG would hide log.level under
//	                           AutomaticEnv, so that is not used
//	lists are lower-cased      they pass through as typed values
func merge(path string, data []byte, flags *pflag.FlagSet, from map[string]string) (config.Node, *config.NodeFile, error) {
	codec := &config.NodeCodec{Path: path}
	v := viper.NewWithOptions(viper.WithDecoderRegistry(registry{codec}))
	v.SetConfigType("yaml")
	for _, k := range config.NodeScalars() {
		if err := bind(v, k, flags, from[k.Path]); err != nil {
			return config.Node{}, nil, err
		}
	}
	var node config.Node
	if err := v.ReadConfig(bytes.NewReader(data)); err != nil {
		var problems config.Problems
		if errors.As(err, &problems) {
			return node, nil, problems
		}
		return node, nil, fmt.Errorf("merge %s: %w", path, err)
	}
	if err := v.UnmarshalExact(&node, strict); err != nil {
		return node, nil, fmt.Errorf("merge %s with flags and environment: %w", path, err)
	}
	return node, codec.File, nil
}

func bind(v *viper.Viper, k config.Key, flags *pflag.FlagSet, from string) error {
	if k.Default != "" {
		v.SetDefault(k.Path, k.Default)
	}
	switch {
	case strings.HasPrefix(from, "flag "):
		return v.BindPFlag(k.Path, lookup(flags, flagOf[k.Path]))
	case from != "":
		return v.BindEnv(k.Path, k.Env())
	}
	return nil
}

// strict makes mapstructure take our tags and our texts, and guess nothing.
func strict(c *mapstructure.DecoderConfig) {
	c.TagName = "yaml"
	c.WeaklyTypedInput = false
	c.DecodeHook = func(from, to reflect.Type, data any) (any, error) { return config.FromText(from, to, data) }
}

// registry knows one format and one decoder.
type registry struct{ codec *config.NodeCodec }

func (r registry) Decoder(string) (viper.Decoder, error) { return r.codec, nil }

func origins(n *config.Node, file *config.NodeFile, from map[string]string) []Origin {
	var out []Origin
	for _, value := range n.Values() {
		o := Origin{Key: value.Key, Text: value.Text, From: from[value.Key]}
		if o.From == "" {
			o.From = file.Where(value.Key)
		}
		if o.From == "" {
			o.From = "default"
		}
		out = append(out, o)
	}
	return out
}

// UnknownEnv lists variables that begin with STATNET_ but override nothing:
// likely misspelt, and silent otherwise.
func UnknownEnv(environ []string) []string {
	known := slices.Clone(notKeys)
	for _, k := range config.NodeScalars() {
		known = append(known, k.Env())
	}
	var out []string
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, "STATNET_") && !slices.Contains(known, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
