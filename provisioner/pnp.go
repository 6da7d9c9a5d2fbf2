package provisioner

import (
	"cmp"
	"slices"
	"strings"

	"dialtone/models"
)

// pnpType is the content type of a bare URL.
const pnpType = "application/url"

// PnP is what a phone is told that asks for its provisioning URL by SIP. The
// brand is the device's, or "", when what the phone calls its vendor decides.
// False when no brand's phones ask like that, or phones are not served. The body
// is a secret.
func (s *Service) PnP(account *models.Account, brand, vendor string, mac models.MAC) (contentType string, body []byte, ok bool) {
	c := s.Catalog()
	if brand == "" {
		brand = c.brandOfVendor(vendor)
	}
	m, known := c.Manifest(brand)
	url := s.URL(account)
	if !known || m.PnP.Body == "" || url == "" {
		return "", nil, false
	}
	text := strings.NewReplacer("{url}", url, "{mac}", mac.String(), "{MAC}", strings.ToUpper(mac.String())).Replace(m.PnP.Body)
	return cmp.Or(m.PnP.ContentType, pnpType), []byte(text), true
}

// brandOfVendor is the brand whose phones call their vendor so, "" when none do.
func (c *Catalog) brandOfVendor(vendor string) string {
	for _, brand := range c.Brands() {
		if slices.ContainsFunc(c.brands[brand].PnP.Vendors, func(v string) bool { return strings.EqualFold(v, vendor) }) {
			return brand
		}
	}
	return ""
}
