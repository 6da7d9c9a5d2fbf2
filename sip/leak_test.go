package sip_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"dialtone/sip"
)

// registrationCount is how many registrations the test of leaks makes.
func registrationCount() int {
	if os.Getenv("TORTURE") != "" {
		return 200_000
	}
	return 20_000
}

// After very many registrations, over sockets and connections that come and go, a
// server holds neither goroutines nor memory for them.
func TestRegistrationsLeaveNothing(t *testing.T) {
	const phones, perSocket = 50, 20
	o := open(t, func(cfg *sip.Config) { cfg.Log = discard })
	for n := range phones {
		o.device(t, map[string]any{"username": fmt.Sprintf("u%d", n), "password": password})
	}
	registerAll := func(count int) {
		var clients errgroup.Group
		for n := range phones {
			clients.Go(func() error {
				for range count / phones / perSocket {
					if err := o.registerTimes(t, n, perSocket); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := clients.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	// What nonces were used for is remembered while they live, of so many at most.
	forgetNonces := func() {
		for range 2 {
			o.clock.advance(10 * time.Minute)
			registerAll(phones * perSocket)
		}
	}
	forgetNonces() // by then every part has what it keeps
	goroutines, before := settled(0), heap()
	registerAll(registrationCount())
	forgetNonces()
	if now := settled(goroutines + 10); now > goroutines+10 {
		t.Errorf("%d goroutines before, %d after %d registrations", goroutines, now, registrationCount())
	}
	if now := heap(); now > before+8<<20 {
		t.Errorf("%d KiB in use before, %d KiB after %d registrations", before>>10, now>>10, registrationCount())
	}
	if bindings, err := o.store.CountRegistrations(t.Context(), o.account.ID); err != nil || bindings != phones {
		t.Errorf("%d contacts are registered, %v, want %d", bindings, err, phones)
	}
}

// registerTimes registers the nth phone again and again, over a socket or
// connection of its own.
func (o *office) registerTimes(t *testing.T, n, times int) error {
	transport, to := "udp", o.Addrs().UDP
	if n%2 == 1 {
		transport, to = "tcp", o.Addrs().TCP
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), transport, to.String())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	w := newWire(conn, transport)
	user, callID := fmt.Sprintf("u%d", n), fmt.Sprintf("call-%d", serial.Add(1))
	busy := 0
	for i := range times {
		r := register{user: user, callID: callID, cseq: 2*i + 1, contact: []string{"<sip:" + user + "@192.0.2.1;transport=" + transport + ">"}}
		err := w.tryRegister(t, r)
		if errors.Is(err, errBusy) && busy < 2 { // the next one comes soon enough
			busy++
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settled waits a moment for goroutines to come down to a number, and tells how
// many there are.
func settled(want int) int {
	for deadline := time.Now().Add(3 * time.Second); runtime.NumGoroutine() > want && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	return runtime.NumGoroutine()
}
