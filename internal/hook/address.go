package hook

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// maxURL bounds the URL of a hook, in bytes.
const maxURL = 2048

// CheckURL says what is wrong with the URL of a hook whatever it resolves to.
func CheckURL(text string) error {
	u, err := parseURL(text)
	if err != nil {
		return err
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("the port of the URL must be from 1 to 65535")
		}
	}
	return nil
}

func parseURL(text string) (*url.URL, error) {
	if len(text) > maxURL {
		return nil, fmt.Errorf("the URL must have at most %d bytes", maxURL)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 127 }):
		return nil, fmt.Errorf("the URL is none")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("the URL must begin with https:// or http://")
	case u.Hostname() == "" || strings.HasSuffix(u.Host, ":"):
		return nil, fmt.Errorf("the URL must name a host")
	case u.User != nil:
		return nil, fmt.Errorf("the URL must not have a user or a password: requests are signed")
	case u.Fragment != "" || strings.Contains(text, "#"):
		return nil, fmt.Errorf("the URL must not have a fragment")
	}
	return u, nil
}

// inner are the networks that are not the internet: this machine, its
// neighbours, those who look after it, and ways of naming an IPv4 address in
// IPv6 (https://www.iana.org/assignments/iana-ipv4-special-registry and ipv6).
var inner = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
	"fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8")

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// guard decides which addresses hooks may reach that were made through the API:
// those of the internet and those of networks that the operator names. The
// receivers of the operator's own configuration are not asked about.
type guard struct{ networks []netip.Prefix }

// checkHost refuses a URL that names an address that cannot be reached. A name
// is judged when it is connected to, by the address that it has then.
func (g guard) checkHost(text string) error {
	u, err := parseURL(text)
	if err != nil {
		return err
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return nil
	}
	return g.check(ip)
}

func (g guard) check(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	holds := func(p netip.Prefix) bool { return p.Contains(ip) }
	if slices.ContainsFunc(inner, holds) && !slices.ContainsFunc(g.networks, holds) {
		return errInner
	}
	return nil
}

var errInner = fmt.Errorf("its address is not one of the internet, and webhook-networks does not name it")

// control is asked with the address that a connection is about to be made to,
// after all names are resolved.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return err
	}
	return g.check(ip)
}
