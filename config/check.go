package config

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
)

var (
	idForm   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
)

// ValidID reports whether s may name a node, a patient, a cohort or a patch:
// [a-z0-9][a-z0-9-]{0,62}. Such a name is safe in a URI, a path and a log line.
func ValidID(s string) bool { return idForm.MatchString(s) }

// ValidName reports whether s may name a cluster: lower-case DNS form, at most
// 100 characters.
func ValidName(s string) bool { return len(s) <= 100 && nameForm.MatchString(s) }

func checkID(ps *Problems, key, id, example string) {
	if id != "" && !ValidID(id) {
		ps.add(key, example, "%q must be 1 to 63 of a-z 0-9 and '-', and begin with a letter or digit", id)
	}
}

// checkAddress checks host:port. Only a listener may leave the host open.
func checkAddress(ps *Problems, key, address, example string, listener bool) {
	if address == "" {
		return
	}
	if err := addressError(address, listener); err != nil {
		ps.add(key, example, "%q: %v", address, err)
	}
}

func addressError(address string, listener bool) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("must be host:port")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return fmt.Errorf("port %q must be a number from 1 to 65535", port)
	}
	if listener {
		return nil
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		return fmt.Errorf("nobody can dial host %q", host)
	}
	return nil
}

func checkBytes32(ps *Problems, key string, h Hex) { checkLength(ps, key, h, 32) }

func checkLength(ps *Problems, key string, h Hex, want int) {
	if len(h) != 0 && len(h) != want {
		ps.add(key, "", "%d hexadecimal digits, not %d", 2*len(h), 2*want)
	}
}

// unique remembers who used a value first.
type unique map[string]string

// claim reports a value that another key has already, e.g. two nodes of one id.
func (u unique) claim(ps *Problems, key, value, what string) {
	if value == "" {
		return
	}
	if first, taken := u[value]; taken {
		ps.add(key, "", "%s %s is already used by %s", what, value, first)
		return
	}
	u[value] = key
}
