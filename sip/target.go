package sip

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"dialtone/models"
)

// A target is one place a NOTIFY goes to.
type target struct {
	contact   string   // as recorded
	instance  string   // of the binding, "" when it has none
	flow      bool     // one of those that the instance has
	uri       string   // Request-URI
	routes    []string // Route header values
	addr      string   // host:port of the next hop
	transport string
	dial      bool      // a connection may be opened; else TCP and TLS use the one that exists
	since     time.Time // when the phone registered over that one
	err       error     // why there is no way, found before sending
}

// bindingTarget follows the binding's Path when it has one; otherwise the
// request goes where the REGISTER came from.
func bindingTarget(b models.Binding, replica string) target {
	t := target{
		contact: b.Contact, instance: b.Instance, flow: b.RegID > 0, uri: withoutHeaders(b.Contact), addr: b.Received.String(), transport: b.Transport,
		since: b.Modified,
	}
	if len(b.Path) > 0 {
		hop, err := parseHop(b.Path[0])
		t.routes, t.addr, t.transport, t.dial, t.err = b.Path, hop.hostPort(), hop.transport(), true, err
		return t
	}
	if b.Transport != transportUDP && b.Replica != replica {
		t.err = fmt.Errorf("the phone's connection is held by %s", cmp.Or(b.Replica, "another server"))
	}
	return t
}

func proxyTarget(phone *models.Phone, proxy uri) target {
	aor := aorURI(phone)
	return target{contact: aor, uri: aor, addr: proxy.hostPort(), transport: proxy.transport(), dial: true}
}

// parseHop is the URI of a Route header value.
func parseHop(route string) (uri, error) {
	a, err := parseAddress(route)
	if err != nil {
		return uri{}, err
	}
	return parseURI(a.uri)
}

// parseProxy reads Config.Proxy, host[:port][;transport=tcp]; "" is none and
// gives the zero uri.
func parseProxy(s string) (uri, error) {
	if s == "" {
		return uri{}, nil
	}
	proxy, err := parseURI("sip:" + s)
	if err == nil && !slices.Contains([]string{"", transportUDP, transportTCP, transportTLS}, strings.ToLower(proxy.params["transport"])) {
		err = fmt.Errorf("%w transport: want udp, tcp or tls", models.ErrInvalid)
	}
	if err != nil {
		return uri{}, fmt.Errorf("sip proxy %q: %w", s, err)
	}
	return proxy, nil
}
