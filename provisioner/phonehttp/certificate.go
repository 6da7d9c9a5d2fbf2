package phonehttp

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"dialtone/internal/watch"
	"dialtone/models"
	"dialtone/provisioner"
)

// ClientCAs are the authorities that issue phones' certificates.
type ClientCAs struct {
	folder  string
	brands  []string
	current atomic.Pointer[authorities]
}

// authorities are those of a moment, by brand.
type authorities struct {
	pools map[string]*x509.CertPool
	all   *x509.CertPool
	sum   [sha256.Size]byte // of the files
}

// LoadClientCAs reads a folder of PEM files, each named for its brand:
// "<brand>.pem", "<brand>-root.pem". What is in them is trusted, whether it
// issued itself or not.
func LoadClientCAs(folder string, brands []string) (*ClientCAs, error) {
	c := &ClientCAs{folder: folder, brands: brands}
	read, err := c.read()
	if err != nil {
		return nil, err
	}
	if len(read.pools) == 0 {
		return nil, fmt.Errorf("%s: no *.pem in it", folder)
	}
	c.current.Store(read)
	return c, nil
}

// Run reads the folder again when it changes, until ctx ends. What cannot be read
// is logged, and the last good authorities stay. Whose file is gone is not
// trusted any more.
func (c *ClientCAs) Run(ctx context.Context, log *slog.Logger) error {
	changes := watch.New(ctx, log)
	changes.Add(ctx, filepath.Dir(c.folder)) // sees the folder itself replaced
	reason := ""
	changes.Run(ctx, watch.Everything, func() {
		changes.Add(ctx, c.folder)
		read, err := c.read()
		if err != nil {
			if err.Error() != reason {
				log.ErrorContext(ctx, "authorities of phones' certificates not reloaded, the last good ones stay", "err", err)
			}
			reason = err.Error()
			return
		}
		reason = ""
		if read.sum != c.current.Load().sum {
			c.current.Store(read)
			log.InfoContext(ctx, "authorities of phones' certificates reloaded", "dir", c.folder, "brands", slices.Sorted(maps.Keys(read.pools)))
		}
	})
	return nil
}

// read reads every file of the folder.
func (c *ClientCAs) read() (*authorities, error) {
	if _, err := os.ReadDir(c.folder); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(c.folder, "*.pem"))
	if err != nil {
		return nil, err
	}
	read := &authorities{pools: map[string]*x509.CertPool{}, all: x509.NewCertPool()}
	sum := sha256.New()
	for _, file := range files {
		brand := brandOf(filepath.Base(file), c.brands)
		if brand == "" {
			return nil, fmt.Errorf("%s: want a name that begins with one of %s", file, strings.Join(c.brands, ", "))
		}
		pem, err := os.ReadFile(file) //nolint:gosec // the operator's own folder
		if err != nil {
			return nil, err
		}
		if read.pools[brand] == nil {
			read.pools[brand] = x509.NewCertPool()
		}
		if !read.pools[brand].AppendCertsFromPEM(pem) || !read.all.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificate in it", file)
		}
		_, _ = fmt.Fprintf(sum, "%s %d\n%s", file, len(pem), pem)
	}
	sum.Sum(read.sum[:0])
	return read, nil
}

// brandOf is the brand that a file is named for: the longest whose name it
// begins with.
func brandOf(file string, brands []string) string {
	best := ""
	for _, brand := range brands {
		rest, named := strings.CutPrefix(strings.ToLower(file), brand)
		if named && rest != "" && strings.ContainsRune(".-_", rune(rest[0])) && len(brand) > len(best) {
			best = brand
		}
	}
	return best
}

// All are the authorities of all brands, for telling phones which certificate is
// wanted. Nil has none.
func (c *ClientCAs) All() *x509.CertPool {
	if c == nil {
		return nil
	}
	return c.current.Load().all
}

// errCertificate is one that no brand's authority stands for, or that names no
// phone, as makers' generic ones.
var errCertificate = errors.New("no certificate of a phone")

// identify finds the phone that a chain of certificates is for, its own first.
func (c *ClientCAs) identify(chain []*x509.Certificate, catalog *provisioner.Catalog, at time.Time) (brand string, mac models.MAC, err error) {
	now := c.current.Load()
	between := x509.NewCertPool()
	for _, issuer := range chain[1:] {
		between.AddCert(issuer)
	}
	for _, brand := range catalog.Brands() {
		pool, has := now.pools[brand]
		if !has {
			continue
		}
		_, err := chain[0].Verify(x509.VerifyOptions{
			Roots: pool, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		})
		if err != nil {
			continue
		}
		if mac, names := catalog.CertificateMAC(brand, chain[0].Subject.CommonName); names {
			return brand, mac, nil
		}
	}
	return "", models.MAC{}, errCertificate
}

// maxChain is how many certificates of a request are looked at.
const maxChain = 8

// certificateClaim is the certificate of a phone, where authorities for those
// are known.
func (v *visit) certificateClaim() (claim, error) {
	chain := v.peer.certificates
	switch {
	case v.ClientCAs == nil:
		return claim{}, nil
	case v.peer.garbled:
		return claim{wrong: models.RefusedCertificate}, nil
	case len(chain) == 0:
		return claim{}, nil
	}
	brand, mac, err := v.ClientCAs.identify(chain[:min(len(chain), maxChain)], v.Files.Catalog(), v.started)
	if err != nil {
		return claim{wrong: models.RefusedCertificate}, nil //nolint:nilerr // why not is in the rule
	}
	phone, err := v.phoneOf(mac)
	switch {
	case err != nil:
		return claim{}, err
	case phone == nil || phone.Device.Provision.Brand != brand:
		return claim{wrong: models.RefusedCertificateMAC}, nil
	case !phone.Account.Access.Certificate:
		return claim{wrong: models.RefusedCertificateOff, phone: phone, account: phone.Account}, nil
	}
	return claim{phone: phone, account: phone.Account}, nil
}

// certificateRules are refusals of certificates. Phones show them on every
// connection, also those that are let in by something else.
var certificateRules = []models.RefusalRule{models.RefusedCertificate, models.RefusedCertificateMAC, models.RefusedCertificateOff}
