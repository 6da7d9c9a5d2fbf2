// Package certs gives TLS listeners their certificates.
package certs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"dialtone/internal/watch"
)

// A Pair is the PEM files of one certificate, with those that stand for it, and
// of its key.
type Pair struct{ Cert, Key string }

// Files are the certificates of pairs of files, read again when these change.
type Files struct {
	pairs   []Pair
	log     *slog.Logger
	now     func() time.Time
	seen    [sha256.Size]byte // of what was read last, good or not
	current atomic.Pointer[[]tls.Certificate]
}

// Load reads at least one pair. Of several, such as one with an ECDSA and one
// with an RSA key, each client is given the first that it can use.
func Load(pairs []Pair, log *slog.Logger, now func() time.Time) (*Files, error) {
	f := &Files{pairs: pairs, log: log, now: now}
	texts, seen := f.read()
	all, err := parse(pairs, texts)
	if err != nil {
		return nil, err
	}
	f.seen = seen
	f.current.Store(&all)
	return f, nil
}

// Certificate is the one for a client: the first that it can use and that names
// what it asked for, else the first that it can use.
func (f *Files) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	all := *f.current.Load()
	nameless := *hello
	nameless.ServerName = ""
	for _, wanted := range []*tls.ClientHelloInfo{hello, &nameless} {
		for i := range all {
			if wanted.SupportsCertificate(&all[i]) == nil {
				return &all[i], nil
			}
		}
	}
	return &all[0], nil // the handshake tells what the client lacks
}

// NotAfter is when the first of the certificates expires.
func (f *Files) NotAfter() time.Time {
	all := *f.current.Load()
	first := all[0].Leaf.NotAfter
	for _, c := range all[1:] {
		if c.Leaf.NotAfter.Before(first) {
			first = c.Leaf.NotAfter
		}
	}
	return first
}

const (
	warnBefore = 21 * 24 * time.Hour // of a certificate's end
	warnEvery  = 12 * time.Hour
)

// Run reads the files again when they change, until ctx ends. Bad ones are
// logged, and the last good ones serve on. So are certificates that expire soon.
func (f *Files) Run(ctx context.Context) error {
	changes := watch.New(ctx, f.log)
	for _, p := range f.pairs {
		for _, file := range []string{p.Cert, p.Key} {
			changes.Add(ctx, filepath.Dir(file)) // sees links replaced as well
			if target, err := filepath.EvalSymlinks(file); err == nil {
				changes.Add(ctx, filepath.Dir(target))
			}
		}
	}
	var warned time.Time
	changes.Run(ctx, watch.Everything, func() {
		if f.reload(ctx) || f.now().Sub(warned) >= warnEvery {
			f.warn(ctx)
			warned = f.now()
		}
	})
	return nil
}

// reload reports whether there are other certificates than before.
func (f *Files) reload(ctx context.Context) bool {
	texts, seen := f.read()
	if seen == f.seen {
		return false
	}
	f.seen = seen
	all, err := parse(f.pairs, texts)
	if err != nil {
		f.log.ErrorContext(ctx, "certificates not reloaded, the last good ones serve on", "err", err)
		return false
	}
	f.current.Store(&all)
	f.log.InfoContext(ctx, "certificates reloaded", "file", f.pairs[0].Cert, "not_after", f.NotAfter())
	return true
}

// warn tells of certificates that have expired, or will soon.
func (f *Files) warn(ctx context.Context) {
	for i, c := range *f.current.Load() {
		left := c.Leaf.NotAfter.Sub(f.now())
		switch {
		case left <= 0:
			f.log.ErrorContext(ctx, "certificate has expired", "file", f.pairs[i].Cert, "not_after", c.Leaf.NotAfter)
		case left < warnBefore:
			f.log.WarnContext(ctx, "certificate expires soon", "file", f.pairs[i].Cert, "not_after", c.Leaf.NotAfter, "days", int(left.Hours()/24))
		}
	}
}

// text is what is in a file, or why that is not known.
type text struct {
	bytes []byte
	err   error
}

// read gives what is in all files, a certificate and its key in turn, and a sum
// of it.
func (f *Files) read() (texts []text, sum [sha256.Size]byte) {
	var all bytes.Buffer
	for _, p := range f.pairs {
		for _, file := range []string{p.Cert, p.Key} {
			raw, err := os.ReadFile(file) //nolint:gosec // the operator names these files
			texts = append(texts, text{raw, err})
			fmt.Fprintf(&all, "%d %v\n", len(raw), err)
			all.Write(raw)
		}
	}
	return texts, sha256.Sum256(all.Bytes())
}

// parse makes certificates of what is in the files.
func parse(pairs []Pair, texts []text) ([]tls.Certificate, error) {
	var all []tls.Certificate
	for i, p := range pairs {
		cert, key := texts[2*i], texts[2*i+1]
		if err := errors.Join(cert.err, key.err); err != nil {
			return nil, err
		}
		c, err := tls.X509KeyPair(cert.bytes, key.bytes)
		if err != nil {
			return nil, fmt.Errorf("%s and %s: %w", p.Cert, p.Key, err)
		}
		all = append(all, c)
	}
	return all, nil
}
