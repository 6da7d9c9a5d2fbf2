package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"

	"dialtone/models"
)

// dialogMethods are what a phone may send while it is called.
const dialogMethods = "INVITE, ACK, BYE, CANCEL, NOTIFY, OPTIONS, UPDATE, INFO"

// A dialog is what the requests to a phone that is called have in common (RFC
// 3261, section 12). All of them take the way of the first: a phone behind NAT is
// reached by no other.
type dialog struct {
	target
	sender *sender
	phone  *models.Phone
	local  netip.AddrPort
	callID string
	from   *sipmsg.FromHeader // with our tag
	tag    string             // the phone's, "" until it has answered
	cseq   uint32             // of the last request
}

// request builds the next request, or one with the number of an earlier one.
func (d *dialog) request(method sipmsg.RequestMethod, cseq uint32, headers ...sipmsg.Header) *sipmsg.Request {
	req := sipmsg.NewRequest(method, stackURI(d.uri))
	transport := strings.ToUpper(d.transport)
	via := &sipmsg.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: transport, Host: d.local.Addr().String(), Port: int(d.local.Port())}
	via.Params.Add("branch", sipmsg.GenerateBranchN(24))
	via.Params.Add("rport", "")
	req.AppendHeader(via)
	for _, route := range d.routes {
		req.AppendHeader(sipmsg.NewHeader("Route", route))
	}
	maxForwards := sipmsg.MaxForwardsHeader(70)
	req.AppendHeader(&maxForwards)
	req.AppendHeader(d.from)
	to := &sipmsg.ToHeader{Address: stackURI(aorURI(d.phone))}
	if d.tag != "" {
		to.Params.Add("tag", d.tag)
	}
	req.AppendHeader(to)
	callID := sipmsg.CallIDHeader(d.callID)
	req.AppendHeader(&callID)
	req.AppendHeader(&sipmsg.CSeqHeader{SeqNo: cseq, MethodName: method})
	req.AppendHeader(sipmsg.NewHeader("Contact", d.contactHeader()))
	for _, h := range headers {
		req.AppendHeader(h)
	}
	req.SetTransport(transport)
	req.SetDestination(d.addr)
	if udp := d.sender.sockets.port(transportUDP); d.transport == transportUDP && udp.IsValid() {
		req.Laddr = sipmsg.Addr{IP: net.IP(udp.Addr().AsSlice()), Port: int(udp.Port())}
	}
	return req
}

func (d *dialog) contactHeader() string {
	return fmt.Sprintf("<sip:quickcall@%s;transport=%s>", d.local, d.transport)
}

// do sends a request and waits for its final answer, after the challenges that
// can be answered.
func (d *dialog) do(ctx context.Context, method sipmsg.RequestMethod, headers ...sipmsg.Header) (*sipmsg.Response, error) {
	if d.dial {
		ctx = allowDial(ctx)
	}
	keys := newKeys(d.phone, d.sender.credentials)
	for {
		d.cseq++
		res, err := d.sender.exchange(ctx, d.request(method, d.cseq, slices.Concat(headers, keys.headers(method, d.uri, nil))...))
		if err != nil || !keys.take(res) {
			return res, err
		}
	}
}

// confirmed is the dialog that a phone's 2xx to an INVITE makes of this one. A
// Contact or Record-Route that cannot be used changes nothing.
func (d *dialog) confirmed(res *sipmsg.Response) *dialog {
	c := *d
	c.tag = toTag(res)
	if uri, ok := contactURI(headerValues(res, "contact", "m")); ok {
		c.uri = uri
	}
	if routes, err := parsePath(headerValues(res, "record-route")); err == nil && len(routes) > 0 {
		slices.Reverse(routes)
		c.routes = routes
	}
	return &c
}

// contactURI is the URI of a Contact header as a Request-URI.
func contactURI(values []string) (string, bool) {
	elements, err := splitList(values)
	if err != nil || len(elements) == 0 {
		return "", false
	}
	a, err := parseAddress(elements[0])
	if err != nil || len(a.uri) > maxURI {
		return "", false
	}
	return withoutHeaders(a.uri), true
}

func toTag(msg sipmsg.Message) string {
	to := msg.To()
	if to == nil {
		return ""
	}
	tag, _ := to.Params.Get("tag")
	return tag
}

func fromTag(msg sipmsg.Message) string {
	from := msg.From()
	if from == nil {
		return ""
	}
	tag, _ := from.Params.Get("tag")
	return tag
}

// fromHeader names the caller to a phone, with a new tag.
func fromHeader(name, number string, phone *models.Phone) *sipmsg.FromHeader {
	from := &sipmsg.FromHeader{DisplayName: quotable(name), Address: stackURI(userURI(number, phone))}
	from.Params.Add("tag", models.NewID())
	return from
}

// userURI is somebody in a phone's realm.
func userURI(user string, phone *models.Phone) string {
	return "sip:" + escapeUser(user) + "@" + phone.Realm()
}

// quotable is what can stand between quotes in a header.
func quotable(s string) string {
	return strings.Map(func(r rune) rune {
		if isControl(r) || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, clip(s))
}
