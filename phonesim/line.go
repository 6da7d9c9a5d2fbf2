package phonesim

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"dialtone/provisioner"
)

// The bounds of a registration's life, in seconds, and what a phone asks for
// when its configuration does not say.
const (
	minExpires     = 10
	defaultExpires = 3600
	maxExpires     = 7 * 24 * 3600
)

// The reasons why a phone with a configuration does not register.
var (
	errDisabled = errors.New("the line is switched off")
	errNoUser   = errors.New("the line has no SIP username")
	errNoServer = errors.New("the line has no SIP server")
	errNoTLS    = errors.New("the line asks for SIP over TLS, which this phone does not speak")
)

// A line is what a phone learnt about its SIP account. Two lines are equal
// when nothing about the registration differs.
type line struct {
	user        string
	authUser    string
	password    string
	displayName string
	domain      string // host part of the AOR
	server      string // host:port that requests go to
	transport   string // "udp" or "tcp"
	expires     int    // seconds
}

// aor is the line's address of record, "sip:ann@acme.example.com".
func (l line) aor() string { return "sip:" + escapeUser(l.user) + "@" + l.domain }

// newLine reads a line from the parameters that the script names.
func newLine(script *provisioner.PhoneScript, v settings) (line, error) {
	names := script.Settings
	if slices.Contains([]string{"0", "false", "no", "off"}, strings.ToLower(v.first(names.Enabled))) {
		return line{}, errDisabled
	}
	user, host, _ := strings.Cut(v.first(names.Username), "@") // some phones take user@host here
	if user == "" {
		return line{}, errNoUser
	}
	l := line{
		user:        user,
		authUser:    cmp.Or(v.first(names.AuthUser), user),
		password:    v.first(names.Password),
		displayName: v.first(names.DisplayName),
		transport:   cmp.Or(transportIn(v.first(names.Proxy)), script.Transports[v.first(names.Transport)], "udp"),
		expires:     expiry(v.first(names.Expires), names.ExpiresUnit),
	}
	if l.transport == "tls" {
		return line{}, errNoTLS
	}
	var err error
	if l.domain, l.server, err = servers(names, v, host); err != nil {
		return line{}, err
	}
	return l, nil
}

// servers finds the host of the AOR and the host:port that requests go to: the
// outbound proxy, else the domain's server. userHost is the host that came
// with the username, "" when none did.
func servers(names provisioner.PhoneSettings, v settings, userHost string) (domain, server string, err error) {
	registrar := cmp.Or(v.first(names.Domain), userHost)
	if registrar == "" {
		return "", "", errNoServer
	}
	aorAt, err := hostPort(cmp.Or(userHost, registrar), "")
	if err != nil {
		return "", "", err
	}
	if proxy, _, _ := strings.Cut(firstProxy(v.first(names.Proxy)), ";"); proxy != "" {
		server, err = hostPort(proxy, v.first(names.ProxyPort))
	} else {
		server, err = hostPort(registrar, v.first(names.Port))
	}
	domain, _, _ = net.SplitHostPort(aorAt) // hostPort made it
	return strings.ToLower(domain), server, err
}

// firstProxy is the first of a list of proxies, the others are backups.
func firstProxy(list string) string {
	first, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(first)
}

// transportIn is the transport that the first of a list of proxies names as a
// SIP URI does, "proxy.example.com:5060;transport=tcp"; "" without one.
func transportIn(proxies string) string {
	_, parameters, _ := strings.Cut(firstProxy(proxies), ";")
	for parameter := range strings.SplitSeq(parameters, ";") {
		if name, value, _ := strings.Cut(parameter, "="); strings.EqualFold(name, "transport") {
			return strings.ToLower(value)
		}
	}
	return ""
}

// hostPort joins a host, which may bring a port of its own, and a port. A
// given port counts first; 5060 when there is none.
func hostPort(host, port string) (string, error) {
	if h, own, err := net.SplitHostPort(host); err == nil {
		host, port = h, cmp.Or(usablePort(port), own)
	}
	host = strings.Trim(host, "[]")
	if host == "" || strings.ContainsFunc(host, notInHost) {
		return "", fmt.Errorf("%q is no SIP server", host)
	}
	return net.JoinHostPort(host, cmp.Or(usablePort(port), "5060")), nil
}

// usablePort is the port, or "" for one that means "not set".
func usablePort(port string) string {
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return ""
	}
	return port
}

func notInHost(r rune) bool {
	return r > 0x7e || r <= ' ' || strings.ContainsRune(`"<>@/\;?,=`, r)
}

// expiry is how many seconds to register for; unit is those that text counts in.
func expiry(text string, unit int) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return defaultExpires
	}
	n = min(max(n, 0), maxExpires) * max(unit, 1)
	return min(max(n, minExpires), maxExpires)
}

// escapeUser writes the user part of a SIP URI (RFC 3261, section 25.1).
func escapeUser(user string) string {
	var b strings.Builder
	for i := range len(user) {
		c := user[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			strings.IndexByte("-_.!~*'()&=+$,;?/", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
