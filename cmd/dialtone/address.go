package main

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// phonesURL is the base URL by which phones reach this server: phones.url, or
// one made of the address of its HTTP or else its HTTPS listener. "" when
// phones are not served, or on a port that only the running server knows.
func phonesURL(c Config, http, https string) (string, error) {
	if c.Phones.URL != "" {
		return strings.TrimSuffix(c.Phones.URL, "/"), nil
	}
	scheme, addr := "http", http
	if addr == "" {
		scheme, addr = "https", https
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "0" {
		return "", nil //nolint:nilerr // checked when the configuration was read: this is an empty one
	}
	if host, err = reachable(host); err != nil {
		return "", err
	}
	return scheme + "://" + net.JoinHostPort(host, port), nil
}

// registrar is host[:port] that phones register with: sip.registrar, or the
// proxy in front of it, or this server under the name it has for phones. ""
// leaves it to the realm's DNS.
func registrar(c Config, baseURL string, sipPort uint16) string {
	proxy, _, _ := strings.Cut(c.SIP.Proxy, ";")
	if named := cmp.Or(c.SIP.Registrar, proxy); named != "" || sipPort == 0 {
		return named
	}
	u, err := url.Parse(baseURL)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	return net.JoinHostPort(u.Hostname(), strconv.Itoa(int(sipPort)))
}

// reachable turns the host of a listener into one that phones can reach: a
// listener on every address is known by the machine's first IPv4 address that
// is not loopback.
func reachable(host string) (string, error) {
	if addr, err := netip.ParseAddr(host); host != "" && (err != nil || !addr.IsUnspecified()) {
		return host, nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "", fmt.Errorf("own address: %w", err)
	}
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && prefix.Addr().Is4() && prefix.Addr().IsGlobalUnicast() {
			return prefix.Addr().String(), nil
		}
	}
	return "127.0.0.1", nil
}

// portOf is the port of host:port, 0 when it is left open.
func portOf(addr string) uint16 {
	port, err := netip.ParseAddrPort("0.0.0.0" + addr[max(strings.LastIndexByte(addr, ':'), 0):])
	if err != nil {
		return 0
	}
	return port.Port()
}
