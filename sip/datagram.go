package sip

import (
	"bytes"
	"context"
	"hash/maphash"
	"net/netip"
	"sync"

	sipmsg "github.com/emiago/sipgo/sip"
	"golang.org/x/sync/errgroup"
)

// datagramWorkers handle REGISTERs that come as datagrams. When all of them are
// busy, each further one gets a goroutine of its own.
const datagramWorkers = 64

// registers hears the REGISTERs that come as datagrams. They need no transaction,
// whose keeping takes longer than the answer: one that is repeated is carried out
// again, which changes nothing (RFC 3261, section 8.2.7 and 10.3). It is not while
// the first is still being answered.
type registers struct {
	parser *sipmsg.Parser
	handle func(req *sipmsg.Request, answering func()) // which is called before the answer leaves
	work   chan datagram

	seed     maphash.Seed
	mu       sync.Mutex
	underWay map[datagramID]struct{}
}

type datagram struct {
	data   []byte
	source netip.AddrPort
	id     datagramID
}

// A datagramID is the same for a datagram that is repeated.
type datagramID struct {
	source netip.AddrPort
	data   uint64 // its hash
}

func newRegisters(handle func(req *sipmsg.Request, answering func())) *registers {
	return &registers{
		parser: newParser(), handle: handle, work: make(chan datagram),
		seed: maphash.MakeSeed(), underWay: map[datagramID]struct{}{},
	}
}

// serve works until ctx ends.
func (r *registers) serve(ctx context.Context, group *errgroup.Group) {
	for range datagramWorkers {
		group.Go(func() error {
			for {
				select {
				case d := <-r.work:
					r.answer(d)
				case <-ctx.Done():
					return nil
				}
			}
		})
	}
}

// take hears a datagram, which it does not keep; false when it is no REGISTER.
func (r *registers) take(data []byte, source netip.AddrPort) bool {
	if !bytes.HasPrefix(data, []byte("REGISTER ")) {
		return false
	}
	d := datagram{bytes.Clone(data), source, datagramID{source, maphash.Bytes(r.seed, data)}}
	if !r.begin(d.id) {
		return true
	}
	select {
	case r.work <- d:
	default:
		go r.answer(d)
	}
	return true
}

// begin is false when the same datagram is being answered.
func (r *registers) begin(id datagramID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, again := r.underWay[id]; again {
		return false
	}
	r.underWay[id] = struct{}{}
	return true
}

func (r *registers) end(id datagramID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.underWay, id)
}

// answer handles a datagram. What cannot be parsed, or does not say where its
// answer goes, gets none.
func (r *registers) answer(d datagram) {
	end := sync.OnceFunc(func() { r.end(d.id) })
	defer end() // where there is no answer
	message, err := r.parser.ParseSIP(d.data)
	req, ok := message.(*sipmsg.Request)
	if err != nil || !ok || req.Via() == nil {
		return
	}
	req.SetTransport("UDP")
	req.SetSource(d.source.String())
	r.handle(req, end)
}
