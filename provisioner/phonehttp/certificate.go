package phonehttp

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dialtone/models"
	"dialtone/provisioner"
)

// ClientCAs are the authorities that issue phones' certificates, by brand.
type ClientCAs struct {
	pools map[string]*x509.CertPool
	all   *x509.CertPool
}

// LoadClientCAs reads a folder of PEM files, each named for its brand:
// "<brand>.pem", "<brand>-root.pem". What is in them is trusted, whether it
// issued itself or not.
func LoadClientCAs(folder string, brands []string) (*ClientCAs, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.pem"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no *.pem in it", folder)
	}
	c := &ClientCAs{pools: map[string]*x509.CertPool{}, all: x509.NewCertPool()}
	for _, file := range files {
		brand := brandOf(filepath.Base(file), brands)
		if brand == "" {
			return nil, fmt.Errorf("%s: want a name that begins with one of %s", file, strings.Join(brands, ", "))
		}
		pem, err := os.ReadFile(file) //nolint:gosec // the operator's own folder
		if err != nil {
			return nil, err
		}
		if c.pools[brand] == nil {
			c.pools[brand] = x509.NewCertPool()
		}
		if !c.pools[brand].AppendCertsFromPEM(pem) || !c.all.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificate in it", file)
		}
	}
	return c, nil
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
	return c.all
}

// errCertificate is one that no brand's authority stands for, or that names no
// phone, as makers' generic ones.
var errCertificate = errors.New("no certificate of a phone")

// identify finds the phone that a chain of certificates is for, its own first.
func (c *ClientCAs) identify(chain []*x509.Certificate, catalog *provisioner.Catalog, now time.Time) (brand string, mac models.MAC, err error) {
	between := x509.NewCertPool()
	for _, issuer := range chain[1:] {
		between.AddCert(issuer)
	}
	for _, brand := range catalog.Brands() {
		pool, has := c.pools[brand]
		if !has {
			continue
		}
		_, err := chain[0].Verify(x509.VerifyOptions{
			Roots: pool, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
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
	if v.ClientCAs == nil || len(chain) == 0 {
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
