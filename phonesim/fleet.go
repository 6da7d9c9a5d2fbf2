package phonesim

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
)

// bootingAtOnce is how many phones of a fleet boot at a time.
const bootingAtOnce = 64

// A Fleet is a row of phones with consecutive MACs that print to one output,
// each line starting with the MAC when there are several.
type Fleet struct{ phones []*Phone }

// NewFleet makes count phones, the first with the MAC of o. A fleet cannot
// share one SIP port.
func NewFleet(o Options, count int) (*Fleet, error) {
	if count < 1 {
		return nil, badOption("count", "%d phones: want 1 or more", count)
	}
	if _, port, err := net.SplitHostPort(o.SIPListen); count > 1 && err == nil && port != "0" {
		return nil, badOption("sip-listen", "%d phones cannot all listen on port %s: give port 0", count, port)
	}
	booths := make(chan struct{}, bootingAtOnce)
	out := newPrinter(o.Out)
	fleet := &Fleet{}
	for range count {
		phone, err := New(o)
		if err != nil {
			return nil, err
		}
		if count > 1 {
			phone.join(out, booths)
		}
		fleet.phones = append(fleet.phones, phone)
		o.MAC = o.MAC.Next()
	}
	return fleet, nil
}

// join makes the phone one of a fleet.
func (p *Phone) join(out *printer, booths chan struct{}) {
	p.out = out.as(p.mac.String())
	p.fetch.out = p.out
	p.booths = booths
}

// Run runs all phones until ctx ends, or until each has booted once. The
// error says how many failed, and how the first did.
func (f *Fleet) Run(ctx context.Context) error {
	errs := make([]error, len(f.phones))
	var running sync.WaitGroup
	for i, phone := range f.phones {
		running.Go(func() { errs[i] = phone.Run(ctx) })
	}
	running.Wait()
	failures := slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	switch {
	case len(failures) == 0:
		return nil
	case len(f.phones) == 1:
		return failures[0]
	}
	return fmt.Errorf("%d of %d phones failed: %w", len(failures), len(f.phones), failures[0])
}
