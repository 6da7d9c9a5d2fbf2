package phonesim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"dialtone/models"
)

// allowed are the methods of the requests that a station answers with 200.
const allowed = "NOTIFY, OPTIONS"

// answerTimeout is how long a phone waits for a SIP answer.
const answerTimeout = 10 * time.Second

// Quiet silences the SIP library's own log, of the whole process: for programs
// that are nothing but phones.
func Quiet() { sip.SetDefaultLogger(slog.New(slog.DiscardHandler)) }

// A station is the SIP side of a phone: one socket, and the registration that
// is kept over it. register and close are called by one goroutine; requests
// are answered on sipgo's.
type station struct {
	line   line
	agent  string // SIP User-Agent
	out    *printer
	onSync func() // called after a check-sync was answered; must not block
	local  netip.AddrPort

	ua      *sipgo.UserAgent
	client  *sipgo.Client
	closers []func() error
	serving sync.WaitGroup

	callID string
	tag    string
	cseq   uint32
}

// openStation binds a line's socket. listen is "host:port"; an empty host
// means the address from which the line's server is reached, port 0 any port.
func openStation(ctx context.Context, l line, listen, agent string, out *printer, onSync func()) (*station, error) {
	addr, err := listenAddr(ctx, listen, l.server)
	if err != nil {
		return nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	ua, err := sipgo.NewUA(
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(
			sip.WithTransactionLayerLogger(quiet),
			sip.WithTransactionLayerUnhandledResponseHandler(func(*sip.Response) {}),
		),
	)
	if err != nil {
		return nil, err
	}
	s := &station{
		line: l, agent: agent, out: out, onSync: onSync, ua: ua,
		callID: models.NewID(), tag: sip.GenerateTagN(16),
	}
	server, err := sipgo.NewServer(ua, sipgo.WithServerLogger(quiet))
	if err == nil {
		s.handle(server)
		err = s.listen(ctx, server, addr)
	}
	if err == nil {
		err = s.dial(quiet)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("SIP over %s: %w", l.transport, err)
	}
	return s, nil
}

// listenAddr completes the address to listen on: a Contact needs a real one.
func listenAddr(ctx context.Context, listen, server string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("SIP listen address %q: %w", listen, err)
	}
	if ip, err := netip.ParseAddr(host); host != "" && (err != nil || !ip.IsUnspecified()) {
		return listen, nil
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", server) // sends nothing
	if err != nil {
		return "", fmt.Errorf("SIP server: %w", err)
	}
	defer func() { _ = conn.Close() }()
	host, _, err = net.SplitHostPort(conn.LocalAddr().String())
	return net.JoinHostPort(host, port), err
}

// listen binds the line's transport and serves it.
func (s *station) listen(ctx context.Context, server *sipgo.Server, addr string) error {
	var lc net.ListenConfig
	if s.line.transport == "tcp" {
		l, err := lc.Listen(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		s.local = netip.MustParseAddrPort(l.Addr().String())
		s.closers = append(s.closers, l.Close)
		s.serving.Go(func() { _ = server.ServeTCP(l) }) // ends when l is closed
		return nil
	}
	conn, err := lc.ListenPacket(ctx, "udp", addr)
	if err != nil {
		return err
	}
	s.local = netip.MustParseAddrPort(conn.LocalAddr().String())
	s.closers = append(s.closers, conn.Close)
	ready := &readConn{PacketConn: conn, reading: make(chan struct{})}
	s.serving.Go(func() { _ = server.ServeUDP(ready) }) // ends when conn is closed
	<-ready.reading
	return nil
}

// A readConn tells when it is first read from: by then sipgo knows the socket
// and sends from it.
type readConn struct {
	net.PacketConn
	once    sync.Once
	reading chan struct{}
}

func (c *readConn) ReadFrom(b []byte) (int, net.Addr, error) {
	c.once.Do(func() { close(c.reading) })
	return c.PacketConn.ReadFrom(b)
}

// dial makes the client. Over UDP it sends from the listening socket, over
// TCP from a connection of its own.
func (s *station) dial(quiet *slog.Logger) error {
	options := []sipgo.ClientOption{sipgo.WithClientLogger(quiet), sipgo.WithClientNAT()}
	if s.line.transport == "udp" {
		options = append(options, sipgo.WithClientConnectionAddr(s.local.String()))
	}
	var err error
	s.client, err = sipgo.NewClient(s.ua, options...)
	return err
}

// close ends all transactions and the socket.
func (s *station) close() {
	_ = s.ua.Close()
	for _, c := range s.closers {
		_ = c()
	}
	s.serving.Wait()
}

// A refusal is a final answer to REGISTER other than 200.
type refusal struct {
	code   int
	reason string
}

func (e *refusal) Error() string { return fmt.Sprintf("REGISTER refused: %d %s", e.code, e.reason) }

// register binds the station's contact to the AOR for some seconds, 0 removes
// it, and returns the time granted.
func (s *station) register(ctx context.Context, expires int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	req := s.newRegister(expires)
	res, err := s.send(ctx, req)
	for tries := 0; err == nil && tries < 3 && s.amend(req, res); tries++ {
		res, err = s.send(ctx, req)
	}
	if err != nil {
		return 0, err
	}
	if res.StatusCode != sip.StatusOK {
		return 0, &refusal{res.StatusCode, res.Reason}
	}
	return s.granted(res, expires), nil
}

func (s *station) newRegister(expires int) *sip.Request {
	aor := sip.Uri{Scheme: "sip", User: escapeUser(s.line.user), Host: s.line.domain}
	req := sip.NewRequest(sip.REGISTER, sip.Uri{Scheme: "sip", Host: s.line.domain})
	req.SetTransport(strings.ToUpper(s.line.transport))
	req.SetDestination(s.line.server)
	from := &sip.FromHeader{DisplayName: quoted(s.line.displayName), Address: aor}
	from.Params.Add("tag", s.tag)
	req.AppendHeader(from)
	req.AppendHeader(&sip.ToHeader{Address: aor})
	callID := sip.CallIDHeader(s.callID)
	req.AppendHeader(&callID)
	req.AppendHeader(&sip.CSeqHeader{MethodName: sip.REGISTER})
	req.AppendHeader(&sip.ContactHeader{Address: s.contact()})
	req.AppendHeader(sip.NewHeader("Expires", strconv.Itoa(expires)))
	req.AppendHeader(sip.NewHeader("User-Agent", s.agent))
	req.AppendHeader(sip.NewHeader("Allow", allowed))
	return req
}

// contact is where the station can be reached.
func (s *station) contact() sip.Uri {
	u := sip.Uri{Scheme: "sip", User: escapeUser(s.line.user), Host: s.local.Addr().String(), Port: int(s.local.Port())}
	if s.line.transport == "tcp" {
		u.UriParams.Add("transport", "tcp")
	}
	return u
}

// send makes exactly one REGISTER transaction and prints it.
func (s *station) send(ctx context.Context, req *sip.Request) (*sip.Response, error) {
	s.cseq++
	req.CSeq().SeqNo = s.cseq
	res, err := s.client.Do(ctx, req.Clone()) // the transaction adds its own Via to the copy
	target := req.Recipient.String()
	switch {
	case errors.Is(err, context.Canceled):
		return nil, err
	case err != nil:
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer from %s", s.line.server)
		}
		s.out.printf("REGISTER %s failed: %v", target, err)
		return nil, fmt.Errorf("REGISTER %s: %w", target, err)
	case res.StatusCode == sip.StatusOK:
		s.out.printf("REGISTER %s 200 expires %d", target, int(s.granted(res, requested(req)).Seconds()))
	default:
		s.out.printf("REGISTER %s %d", target, res.StatusCode)
	}
	return res, nil
}

// amend prepares another try of a request that was challenged, or whose expiry
// was too short; false when the answer is final.
func (s *station) amend(req *sip.Request, res *sip.Response) bool {
	switch res.StatusCode {
	case sip.StatusUnauthorized:
		return s.authorize(req, res, "WWW-Authenticate", "Authorization")
	case sip.StatusProxyAuthRequired:
		return s.authorize(req, res, "Proxy-Authenticate", "Proxy-Authorization")
	case sip.StatusIntervalToBrief:
		least := header(res, "Min-Expires")
		if n, err := strconv.Atoi(least); err != nil || n <= requested(req) || n > maxExpires {
			return false
		}
		req.ReplaceHeader(sip.NewHeader("Expires", least))
		return true
	}
	return false
}

// authorize answers the first challenge it can. A second challenge means that
// the credentials are wrong, unless the server calls its nonce stale.
func (s *station) authorize(req *sip.Request, res *sip.Response, asks, answers string) bool {
	for _, h := range res.GetHeaders(asks) {
		asked, err := digest.ParseChallenge(h.Value())
		if err != nil || !digest.CanDigest(asked) {
			continue
		}
		if req.GetHeader(answers) != nil && !asked.Stale {
			return false
		}
		answer, err := digest.Digest(asked, digest.Options{
			Method: req.Method.String(), URI: req.Recipient.String(),
			Username: s.line.authUser, Password: s.line.password,
		})
		if err != nil {
			continue
		}
		req.RemoveHeader(answers)
		req.AppendHeader(sip.NewHeader(answers, answer.String()))
		return true
	}
	return false
}

// granted is how long the registrar keeps the station's contact: its expires
// parameter, else the Expires header, else what was asked for.
func (s *station) granted(res *sip.Response, asked int) time.Duration {
	seconds := asked
	if n, err := strconv.Atoi(header(res, "Expires")); err == nil {
		seconds = n
	}
	for _, h := range res.GetHeaders("Contact") {
		var uri sip.Uri
		var params sip.HeaderParams
		if _, err := sip.ParseAddressValue(h.Value(), &uri, &params); err != nil {
			continue
		}
		own := s.contact()
		if value, ok := params.Get("expires"); ok && uri.User == own.User && uri.HostPort() == own.HostPort() {
			if n, err := strconv.Atoi(value); err == nil {
				seconds = n
			}
		}
	}
	return time.Duration(min(max(seconds, 0), maxExpires)) * time.Second
}

func requested(req *sip.Request) int {
	n, _ := strconv.Atoi(req.GetHeader("Expires").Value()) // newRegister and amend wrote it
	return n
}

func header(res *sip.Response, name string) string {
	if h := res.GetHeader(name); h != nil {
		return strings.TrimSpace(h.Value())
	}
	return ""
}

// quoted escapes a display name for a quoted string (RFC 3261, section 25.1).
func quoted(name string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "", "\n", "").Replace(name)
}

// handle answers requests from the network, one line each.
func (s *station) handle(server *sipgo.Server) {
	server.OnNotify(s.notify)
	server.OnOptions(func(req *sip.Request, tx sip.ServerTransaction) {
		s.respond(req, tx, sip.StatusOK, "OK", "")
	})
	server.OnAck(func(*sip.Request, sip.ServerTransaction) {})
	refuse := func(req *sip.Request, tx sip.ServerTransaction) {
		s.respond(req, tx, sip.StatusMethodNotAllowed, "Method Not Allowed", "")
	}
	for _, method := range []sip.RequestMethod{
		sip.INVITE, sip.CANCEL, sip.BYE, sip.REGISTER, sip.SUBSCRIBE, sip.REFER,
		sip.INFO, sip.MESSAGE, sip.PRACK, sip.UPDATE, sip.PUBLISH,
	} {
		server.OnRequest(method, refuse)
	}
	server.OnNoRoute(func(req *sip.Request, tx sip.ServerTransaction) {
		s.respond(req, tx, sip.StatusNotImplemented, "Not Implemented", "")
	})
}

// notify obeys check-sync; a phone knows no other event.
func (s *station) notify(req *sip.Request, tx sip.ServerTransaction) {
	event := ""
	if h := req.GetHeader("Event"); h != nil {
		event = h.Value()
	}
	if !isCheckSync(event) {
		s.respond(req, tx, 489, "Bad Event", event)
		return
	}
	s.respond(req, tx, sip.StatusOK, "OK", event)
	s.onSync()
}

// isCheckSync reads an Event header: the package is what precedes ";".
func isCheckSync(event string) bool {
	name, _, _ := strings.Cut(event, ";")
	return strings.EqualFold(strings.TrimSpace(name), "check-sync")
}

func (s *station) respond(req *sip.Request, tx sip.ServerTransaction, code int, reason, detail string) {
	res := sip.NewResponseFromRequest(req, code, reason, nil)
	res.AppendHeader(sip.NewHeader("Allow", allowed))
	res.AppendHeader(sip.NewHeader("User-Agent", s.agent))
	what := req.Method.String()
	if detail != "" {
		what += " " + detail[:min(len(detail), 80)]
	}
	if err := tx.Respond(res); err != nil {
		s.out.printf("%s %d failed: %v", what, code, err)
		return
	}
	s.out.printf("%s %d", what, code)
}
