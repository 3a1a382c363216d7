package image

import (
	"net/netip"
	"syscall"
)

// special lists the address blocks of IANA's special-purpose registries that are not the
// public internet, except those that the methods of netip.Addr know.
var special = prefixes(
	"0.0.0.0/8",       // this network
	"100.64.0.0/10",   // carrier-grade NAT; some clouds' metadata service
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // 6to4 relays
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"240.0.0.0/4",     // reserved, broadcast
	"::/96",           // IPv4-compatible, unspecified, loopback
	"64:ff9b:1::/48",  // local NAT64
	"100::/64",        // discard
	"2001::/23",       // protocol assignments, Teredo among them
	"2001:db8::/32",   // documentation
	"3fff::/20",       // documentation
	"5f00::/16",       // segment routing
	"fec0::/10",       // former site-local
)

var (
	nat64  = netip.MustParsePrefix("64:ff9b::/96") // the last four bytes are an IPv4 address
	sixTo4 = netip.MustParsePrefix("2002::/16")    // bytes 2 to 5 are
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// public reports whether a is a unicast address of the public internet. Of an address that
// contains an IPv4 address, that address must be public too.
func public(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsLoopback() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	if a.Is6() {
		bytes := a.As16()
		switch {
		case nat64.Contains(a):
			return public(netip.AddrFrom4([4]byte(bytes[12:16])))
		case sixTo4.Contains(a):
			return public(netip.AddrFrom4([4]byte(bytes[2:6])))
		}
	}
	return true
}

// checkDial is called with the address of each connection before it is made, after DNS and
// for every redirect. So a name cannot resolve to one address for the check and to another
// for the connection.
func (l *Loader) checkDial(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fail(Blocked, "the address %s is not understood", address)
	}
	if !l.allowed(ap) {
		return fail(Blocked, "%s is not a public address", ap.Addr())
	}
	return nil
}
