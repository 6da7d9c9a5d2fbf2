package phonehttp

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Proxies are those that stand between phones and this server. The zero value is
// none.
type Proxies struct {
	Networks   []netip.Prefix // of the proxies
	CertHeader string         // in which they hand on the phone's certificate: one of CertHeaders; "" = they do not
}

// The headers that can hand on a certificate.
const (
	clientCert    = "Client-Cert"       // RFC 9440, with Client-Cert-Chain
	sslClientCert = "X-Ssl-Client-Cert" // PEM, URL-encoded: $ssl_client_escaped_cert of nginx
)

// CertHeaders are the values that Proxies.CertHeader may have.
var CertHeaders = []string{clientCert, sslClientCert}

// errForwarded is a request of which the proxy's headers do not tell who sent it:
// they contradict each other, since one of them is the phone's own, or cannot be
// read.
var errForwarded = errors.New("forwarding headers contradict each other, or cannot be read")

func (p Proxies) trusted(source netip.Addr) bool {
	return slices.ContainsFunc(p.Networks, func(network netip.Prefix) bool { return network.Contains(source) })
}

// isForwarded reports whether the headers tell of somebody behind the connection.
func isForwarded(h http.Header) bool {
	return len(h.Values("X-Forwarded-For")) > 0 || len(h.Values("Forwarded")) > 0
}

// peer is who is behind a trusted proxy.
func (p Proxies) peer(proxy netip.Addr, h http.Header) (peer, error) {
	hops, err := forwardedHops(h)
	if err != nil {
		return peer{source: proxy}, err
	}
	addresses := addressesOf(h)
	source, _ := p.last(proxy, addresses)
	if len(hops) > 0 {
		var from []netip.Addr
		for _, hop := range hops {
			from = append(from, hop.from)
		}
		by, first := p.last(proxy, from)
		if len(addresses) > 0 && by != source {
			return peer{source: proxy}, errForwarded
		}
		source, hops = by, hops[first:]
	}
	found := peer{source: source, secure: allSecure(h, hops)}
	found.certificates, found.garbled = p.certificates(h)
	return found, nil
}

// last is the last address that is no trusted proxy's, and where it stands;
// behind what is no address nobody is believed.
func (p Proxies) last(proxy netip.Addr, addresses []netip.Addr) (netip.Addr, int) {
	source, first := proxy, len(addresses)
	for first > 0 && p.trusted(source) && addresses[first-1].IsValid() {
		first--
		source = addresses[first]
	}
	return source, first
}

// allSecure reports whether every proxy that says how it was asked says that it
// was by HTTPS; one at least has to.
func allSecure(h http.Header, hops []hop) bool {
	var schemes []string
	for scheme := range strings.SplitSeq(strings.Join(h.Values("X-Forwarded-Proto"), ","), ",") {
		if scheme = strings.TrimSpace(scheme); scheme != "" {
			schemes = append(schemes, scheme)
		}
	}
	for _, hop := range hops {
		if hop.scheme != "" {
			schemes = append(schemes, hop.scheme)
		}
	}
	return len(schemes) > 0 && !slices.ContainsFunc(schemes, func(s string) bool { return !strings.EqualFold(s, "https") })
}

// addressesOf are those of X-Forwarded-For, the phone's first; the zero Addr for
// what is none.
func addressesOf(h http.Header) []netip.Addr {
	var all []netip.Addr
	for _, text := range h.Values("X-Forwarded-For") {
		for part := range strings.SplitSeq(text, ",") {
			all = append(all, nodeAddress(strings.TrimSpace(part)))
		}
	}
	return all
}

// nodeAddress reads an address as proxies write it: 192.0.2.1, 192.0.2.1:1024,
// 2001:db8::1, [2001:db8::1], [2001:db8::1]:1024. The zero Addr is none.
func nodeAddress(text string) netip.Addr {
	if both, err := netip.ParseAddrPort(text); err == nil {
		return both.Addr().Unmap().WithZone("")
	}
	if inside, is := strings.CutPrefix(text, "["); is {
		text = strings.TrimSuffix(inside, "]")
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// A hop is what one proxy says, in an element of Forwarded (RFC 7239), of who
// asked it.
type hop struct {
	from   netip.Addr // zero = not told, or hidden
	scheme string     // "" = not told
}

// forwardedHops reads Forwarded, the phone's first.
func forwardedHops(h http.Header) ([]hop, error) {
	text := strings.Join(h.Values("Forwarded"), ",")
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	hops := []hop{{}}
	for {
		name, value, end, rest, ok := forwardedPair(text)
		if !ok {
			return nil, errForwarded
		}
		current := &hops[len(hops)-1]
		switch strings.ToLower(name) {
		case "for":
			current.from = nodeAddress(value)
		case "proto":
			current.scheme = value
		}
		if end == 0 {
			return hops, nil
		}
		if end == ',' {
			hops = append(hops, hop{})
		}
		text = rest
	}
}

// forwardedPair reads name=value, the value perhaps in quotes, and what ends it:
// a semicolon, a comma, or 0 for the end of the text. Nothing but blanks is a
// pair without a name.
func forwardedPair(text string) (name, value string, end byte, rest string, ok bool) {
	text = strings.TrimLeft(text, " \t")
	at := strings.IndexAny(text, "=;,")
	if at < 0 || text[at] != '=' {
		if at < 0 {
			return "", "", 0, "", text == ""
		}
		return "", "", text[at], text[at+1:], strings.TrimSpace(text[:at]) == ""
	}
	name, text = text[:at], text[at+1:]
	if strings.HasPrefix(text, `"`) {
		if value, text, ok = unquote(text[1:]); !ok {
			return "", "", 0, "", false
		}
	} else {
		length := strings.IndexAny(text, " \t;,")
		if length < 0 {
			length = len(text)
		}
		value, text = text[:length], text[length:]
	}
	text = strings.TrimLeft(text, " \t")
	if text == "" {
		return name, value, 0, "", true
	}
	return name, value, text[0], text[1:], text[0] == ';' || text[0] == ','
}

// unquote reads up to the closing quote.
func unquote(text string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			return b.String(), text[i+1:], true
		case '\\':
			if i++; i == len(text) {
				return "", "", false
			}
		}
		b.WriteByte(text[i])
	}
	return "", "", false
}

// certificates are those that the proxy hands on; garbled is what it hands on and
// cannot be read.
func (p Proxies) certificates(h http.Header) (chain []*x509.Certificate, garbled bool) {
	given := h.Values(p.CertHeader)
	if p.CertHeader == "" || len(given) == 0 || given[0] == "" {
		return nil, false
	}
	if len(given) > 1 {
		return nil, true
	}
	if p.CertHeader == sslClientCert {
		return readCertificates(fromPEM(given[0]))
	}
	return readCertificates(fromBytes(given[0], h.Values("Client-Cert-Chain")))
}

// fromPEM is what is in the PEM text of a certificate, URL-encoded; nil when it
// is none.
func fromPEM(escaped string) [][]byte {
	text, err := url.PathUnescape(escaped)
	if err != nil {
		return nil
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return nil
	}
	return [][]byte{block.Bytes}
}

// fromBytes is what is in byte sequences of structured fields, :base64:; nil when
// one is none.
func fromBytes(first string, chain []string) [][]byte {
	var all [][]byte
	for _, field := range append([]string{first}, chain...) {
		for item := range strings.SplitSeq(field, ",") {
			item = strings.TrimSpace(item)
			if len(item) < 2 || item[0] != ':' || item[len(item)-1] != ':' {
				return nil
			}
			raw, err := base64.StdEncoding.DecodeString(item[1 : len(item)-1])
			if err != nil {
				return nil
			}
			all = append(all, raw)
		}
	}
	return all
}

// readCertificates parses certificates, at most maxChain of them.
func readCertificates(all [][]byte) (chain []*x509.Certificate, garbled bool) {
	for _, raw := range all[:min(len(all), maxChain)] {
		c, err := x509.ParseCertificate(raw)
		if err != nil {
			return nil, true
		}
		chain = append(chain, c)
	}
	return chain, len(chain) == 0
}
