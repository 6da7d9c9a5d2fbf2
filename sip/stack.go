package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/emiago/sipgo"
	sipmsg "github.com/emiago/sipgo/sip"
)

// dialledIdle is how long a connection that this server opened may be silent.
const dialledIdle = 10 * time.Minute

// errNoConnection means that a request had to go over a connection which is gone.
var errNoConnection = errors.New("the phone's connection is gone")

// prepareStack sets what the stack keeps for the whole process: its default
// logger, which would print messages; its limit for UDP, which would leave a
// REGISTER unanswered whose answer lists many contacts; and the buffer that it has
// for every socket and connection.
var prepareStack = sync.OnceFunc(func() {
	sipmsg.SetDefaultLogger(slog.New(slog.DiscardHandler))
	sipmsg.UDPMTUSize = 1<<16 + 200 // 200 less is the limit
	sipmsg.TransportBufferReadSize = maxMessage
})

// parsedHeaders are the headers that transactions need. Everything else stays
// as it was written: contacts and paths are stored verbatim, and a malformed
// one can be answered with 400, whereas the stack drops what it cannot parse.
var parsedHeaders = []string{
	"via", "v", "from", "f", "to", "t", "call-id", "i", "cseq", "max-forwards", "content-length", "l",
}

func newParser() *sipmsg.Parser {
	headers := maps.Clone(sipmsg.DefaultHeadersParser())
	maps.DeleteFunc(headers, func(name string, _ sipmsg.HeaderParser) bool { return !slices.Contains(parsedHeaders, name) })
	parser := sipmsg.NewParser(sipmsg.WithHeadersParsers(headers))
	parser.MaxMessageLength = maxMessage
	return parser
}

// newAgent makes the stack's transports and transactions; it binds nothing.
func newAgent(log *slog.Logger) (*sipgo.UserAgent, error) {
	prepareStack()
	stackLog := stackLogger(log)
	agent, err := sipgo.NewUA(
		sipgo.WithUserAgentParser(newParser()),
		sipgo.WithUserAgentDNSResolver(resolver()),
		sipgo.WithUserAgentTransportLayerOptions(
			sipmsg.WithTransportLayerLogger(stackLog),
			sipmsg.WithTransportLayerTransports(sipmsg.TransportsConfig{
				TCP: dialled(),
				TLS: &sipmsg.TransportTLS{TransportTCP: dialled()},
			}),
		),
		sipgo.WithUserAgentTransactionLayerOptions(
			sipmsg.WithTransactionLayerLogger(stackLog),
			sipmsg.WithTransactionLayerTerminateOnConnClose(),
			sipmsg.WithTransactionLayerUnhandledResponseHandler(func(*sipmsg.Response) {}), // too late, or never asked for
		),
	)
	if err != nil {
		return nil, fmt.Errorf("sip stack: %w", err)
	}
	return agent, nil
}

// dialled sets the bounds of connections that this server opens. Those that it
// accepts have their own, see stream.
func dialled() *sipmsg.TransportTCP {
	return &sipmsg.TransportTCP{DialerCreate: dialer, ReadTimeout: dialledIdle, WriteTimeout: writeTimeout}
}

type dialKey struct{}

// allowDial lets requests with this context look up names and open a connection.
// Without it there is none: a phone behind NAT can only be reached over its own,
// and an answer must not go wherever a Via says.
func allowDial(ctx context.Context) context.Context { return context.WithValue(ctx, dialKey{}, true) }

func dialer(local net.Addr) net.Dialer {
	return net.Dialer{
		LocalAddr: local,
		ControlContext: func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
			if ctx.Value(dialKey{}) == nil {
				return errNoConnection
			}
			return nil
		},
	}
}

// resolver asks name servers for requests that may open a connection, and for
// nothing that others send.
func resolver() *net.Resolver {
	return &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if ctx.Value(dialKey{}) == nil {
				return nil, errNoConnection
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
}

// stackLogger is for the stack's own messages: at debug level whatever it
// thinks of them, and with attributes that tell of addresses only. Its others
// hold whole messages, Authorization headers included.
func stackLogger(log *slog.Logger) *slog.Logger { return slog.New(stackHandler{log.Handler()}) }

type stackHandler struct{ slog.Handler }

func (h stackHandler) Enabled(ctx context.Context, _ slog.Level) bool {
	return h.Handler.Enabled(ctx, slog.LevelDebug)
}

func (h stackHandler) Handle(ctx context.Context, r slog.Record) error {
	safe := slog.NewRecord(r.Time, slog.LevelDebug, "sip stack: "+r.Message, 0)
	r.Attrs(func(a slog.Attr) bool {
		safe.AddAttrs(harmless([]slog.Attr{a})...)
		return true
	})
	return h.Handler.Handle(ctx, safe)
}

func (h stackHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return stackHandler{h.Handler.WithAttrs(harmless(attrs))}
}

func (h stackHandler) WithGroup(string) slog.Handler { return h }

func harmless(attrs []slog.Attr) []slog.Attr {
	return slices.DeleteFunc(slices.Clone(attrs), func(a slog.Attr) bool {
		return !slices.Contains([]string{"network", "addr", "laddr", "raddr", "caller", "dur"}, a.Key)
	})
}
