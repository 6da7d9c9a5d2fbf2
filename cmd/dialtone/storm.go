package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"dialtone/phonesim"
)

// storm is the one that the flags ask for; its errors name the flag.
func (f *phoneFlags) storm(ctx context.Context) (phonesim.Storm, error) {
	o, err := f.options(nil)
	if err != nil {
		return phonesim.Storm{}, err
	}
	s := phonesim.Storm{Options: o, Count: f.count, AtOnce: f.atOnce, Anyone: f.yes}
	if s.TLS, err = trusting(f.ca); err != nil {
		return phonesim.Storm{}, fmt.Errorf("--ca: %w", err)
	}
	err = s.Check(ctx)
	if errors.Is(err, phonesim.ErrElsewhere) {
		return phonesim.Storm{}, fmt.Errorf("%w: give --yes if its operator wants that", flagged(err))
	}
	return s, flagged(err)
}

// runStorm has all phones boot once and prints how that went.
func runStorm(cmd *cobra.Command, s phonesim.Storm) error {
	shown := newProgress(cmd)
	s.Booted = func(phones int) { shown.update(fmt.Sprintf("%d of %d phones", phones, s.Count), phones, s.Count) }
	report := s.Run(cmd.Context())
	shown.end()
	if err := printStorm(cmd, report); err != nil {
		return err
	}
	if bad := report.Failed + s.Count - report.Phones; bad > 0 {
		return outcome{exitFailed, fmt.Sprintf("%d of %d phones did not come up", bad, s.Count)}
	}
	return nil
}

// trusting is a TLS configuration that takes the authorities in a PEM file; nil
// without one.
func trusting(file string) (*tls.Config, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // net/http takes nil for its own
	}
	pem, err := os.ReadFile(file) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificate in it", file)
	}
	return &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}, nil
}

// printStorm prints figures, and what phones failed by. Times are in
// milliseconds.
func printStorm(cmd *cobra.Command, r phonesim.StormReport) error {
	t := table{columns: []string{"phones", "failed", "seconds", "phones_per_second", "requests_per_second"}}
	perSecond := func(n int) string { return strconv.FormatFloat(float64(n)/r.Took.Seconds(), 'f', 1, 64) }
	row := []string{
		strconv.Itoa(r.Phones), strconv.Itoa(r.Failed), strconv.FormatFloat(r.Took.Seconds(), 'f', 2, 64), perSecond(r.Phones), perSecond(r.Fetch.Count),
	}
	for _, status := range slices.Sorted(maps.Keys(r.Answers)) {
		t.columns, row = append(t.columns, "status_"+strconv.Itoa(status)), append(row, strconv.Itoa(r.Answers[status]))
	}
	for _, part := range []struct {
		name string
		took phonesim.Spread
	}{{"request", r.Fetch}, {"boot", r.Boot}, {"register", r.Register}} {
		t.columns = append(t.columns, part.name+"_p50_ms", part.name+"_p99_ms", part.name+"_max_ms")
		row = append(row, milliseconds(part.took.Median), milliseconds(part.took.P99), milliseconds(part.took.Longest))
	}
	t.add(row...)
	for _, failure := range slices.Sorted(maps.Keys(r.Failures)) {
		cmd.PrintErrf("%d phones: %s\n", r.Failures[failure], failure)
	}
	return t.printOne(cmd)
}

func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 1, 64)
}
