package sip

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	sipmsg "github.com/emiago/sipgo/sip"

	"dialtone/models"
)

const (
	sipVersion     = "SIP/2.0"
	allowedMethods = "REGISTER, OPTIONS"

	extensionOutbound = "outbound" // RFC 5626
	extensionPath     = "path"     // RFC 3327

	retryAfter = 30  // seconds, in every 503
	flowTimer  = 120 // seconds without a keep-alive after which a phone's connection may be given up
)

var supportedExtensions = []string{extensionPath, extensionOutbound}

const (
	statusScheme   = 416
	statusFirstHop = 439 // RFC 5626, section 11.6
)

// A refusalError is a request that gets another answer than 200.
type refusalError struct {
	code    int
	reason  string
	headers []sipmsg.Header
}

func (e *refusalError) Error() string { return fmt.Sprintf("%d %s", e.code, e.reason) }

func refuse(code int, reason string, headers ...sipmsg.Header) *refusalError {
	return &refusalError{code: code, reason: reason, headers: headers}
}

func badRequest(reason string) *refusalError { return refuse(sipmsg.StatusBadRequest, reason) }

func unavailable(reason string) *refusalError {
	return refuse(sipmsg.StatusServiceUnavailable, reason, sipmsg.NewHeader("Retry-After", strconv.Itoa(retryAfter)))
}

var (
	errBusy          = unavailable("Too Many Requests")
	errLocked        = unavailable("Too Many Failures")
	errStorage       = unavailable("Service Unavailable")
	errDisabled      = refuse(sipmsg.StatusForbidden, "Disabled")
	errTooMany       = refuse(sipmsg.StatusForbidden, "Too Many Contacts")
	errOutOfOrder    = refuse(sipmsg.StatusInternalServerError, "Out of Order")
	errVersion       = refuse(sipmsg.StatusVersionNotSupported, "Version Not Supported")
	errNoTransaction = refuse(sipmsg.StatusCallTransactionDoesNotExists, "Transaction Does Not Exist")
	errEvent         = refuse(489, "Bad Event")
	errMedia         = refuse(sipmsg.StatusNotAcceptableHere, "Not Acceptable Here")
	errMethod        = refuse(sipmsg.StatusMethodNotAllowed, "Method Not Allowed", sipmsg.NewHeader("Allow", allowedMethods))
	errScheme        = refuse(statusScheme, "Unsupported URI Scheme")
	errFirstHop      = refuse(statusFirstHop, "First Hop Lacks Outbound Support")
	errTooBrief      = refuse(sipmsg.StatusIntervalToBrief, "Interval Too Brief", sipmsg.NewHeader("Min-Expires", strconv.Itoa(minExpires)))
)

func reply(req *sipmsg.Request, code int, reason string) *sipmsg.Response {
	return sipmsg.NewResponseFromRequest(req, code, reason, nil)
}

// refusal is the answer that err asks for; an error that is no refusal means
// that storage failed.
func refusal(req *sipmsg.Request, err error) *sipmsg.Response {
	why := errStorage
	errors.As(err, &why)
	res := reply(req, why.code, why.reason)
	for _, h := range why.headers {
		res.AppendHeader(h)
	}
	return res
}

// finish completes what the stack leaves to us: the To tag, which must be the
// same when a repeated request is answered again (RFC 3261, 8.2.7), and the
// sender's address where its Via does not say it (18.2.1). A phone whose Via has
// another address is behind a NAT, which knows no other port than the one that
// the request came from, whether the phone asks for that (RFC 3581) or not.
func (s *Server) finish(req *sipmsg.Request, res *sipmsg.Response) {
	res.SipVersion = sipVersion
	if to := req.To(); to != nil && !to.Params.Has("tag") {
		res.To().Params.Add("tag", s.tag(req))
	}
	source, err := netip.ParseAddrPort(req.Source())
	via := res.Via()
	if err != nil || via == nil || via.Params.Has("received") {
		return
	}
	if sentBy(via) != source.Addr() {
		via.Params.Add("received", source.Addr().String())
	}
	if translated(via, source.Addr()) {
		res.SetDestination(req.Source())
	}
}

// sentBy is the address that a Via names; the zero one when it names a host.
func sentBy(via *sipmsg.ViaHeader) netip.Addr {
	address, _ := netip.ParseAddr(strings.Trim(via.Host, "[]"))
	return address
}

// translated reports whether a Via names another address than its request came from.
func translated(via *sipmsg.ViaHeader, source netip.Addr) bool {
	address := sentBy(via)
	return address.IsValid() && address != source
}

// answerDatagram writes a response from the UDP listener to where a request came
// from (RFC 3261, section 18.2.2, and RFC 3581; for a NAT see finish).
func (s *sockets) answerDatagram(req *sipmsg.Request, res *sipmsg.Response) error {
	source, err := netip.ParseAddrPort(req.Source())
	via := res.Via()
	if err != nil || via == nil {
		return errors.Join(err, models.ErrInvalid)
	}
	to := source
	if !via.Params.Has("rport") && !translated(via, source.Addr()) {
		to = netip.AddrPortFrom(source.Addr(), sentByPort(via))
	}
	text := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(text)
	text.Reset()
	res.StringWrite(text)
	_, err = s.udp.WriteToUDPAddrPort(text.Bytes(), to)
	return err
}

func sentByPort(via *sipmsg.ViaHeader) uint16 {
	if via.Port <= 0 || via.Port > 0xffff {
		return 5060 // RFC 3261, section 18.2.2
	}
	return uint16(via.Port)
}

// tag is the same for a request that is repeated, and nobody else can make it.
func (s *Server) tag(req *sipmsg.Request) string {
	sum := headerSum(req, s.tagKey, "via", "from", "call-id", "cseq")
	return hex.EncodeToString(sum[:8])
}

// headerSum is a hash of a key and of all headers of these names, as they are
// written, each with its length: no two lists of headers are hashed alike.
func headerSum(msg message, key []byte, names ...string) [sha256.Size]byte {
	text := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(text)
	text.Reset()
	text.Write(key)
	for _, h := range msg.Headers() {
		if !isAmong(h.Name(), names) {
			continue
		}
		before := text.Len()
		h.StringWrite(text)
		text.Write(binary.BigEndian.AppendUint32(text.AvailableBuffer(), uint32(text.Len()-before))) //nolint:gosec // of a message's size
	}
	return sha256.Sum256(text.Bytes())
}

// buffers are for a message, or parts of it, that is needed for a moment.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// isAmong reports whether a header's name is one of these.
func isAmong(name string, names []string) bool {
	return slices.ContainsFunc(names, func(one string) bool { return strings.EqualFold(one, name) })
}

// A message is a request or a response.
type message interface{ Headers() []sipmsg.Header }

// headerValues are the values of all headers of these names, in order.
func headerValues(msg message, names ...string) []string {
	var values []string
	for _, h := range msg.Headers() {
		if isAmong(h.Name(), names) {
			values = append(values, h.Value())
		}
	}
	return values
}

func countHeaders(msg message, name string) int {
	count := 0
	for _, h := range msg.Headers() {
		if strings.EqualFold(h.Name(), name) {
			count++
		}
	}
	return count
}
