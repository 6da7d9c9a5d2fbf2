package provisioner

import (
	"path"
	"slices"
	"strings"
)

// An Identity is what a phone's User-Agent tells about it.
type Identity struct {
	Brand    string
	Family   string // "" when the model is not listed
	Model    string
	Firmware string
}

// Identify reads a User-Agent with the patterns of all brands; the zero
// Identity when none fits.
func (c *Catalog) Identify(userAgent string) Identity {
	if len(userAgent) > maxUserAgent {
		return Identity{}
	}
	for _, name := range c.Brands() {
		b := c.brands[name]
		for _, re := range b.userAgents {
			match := re.FindStringSubmatch(userAgent)
			if match == nil {
				continue
			}
			m := b.model("", group(re, match, "model"))
			return Identity{Brand: name, Family: m.Family, Model: m.Name, Firmware: group(re, match, "firmware")}
		}
	}
	return Identity{}
}

// TemplateIDs are the values of provision.id that choose templates of their
// own in a brand, sorted.
func (c *Catalog) TemplateIDs(brand string) []string {
	ids := []string{}
	prefix := path.Join(brand, idFolder) + "/"
	for file := range c.templates.files {
		if rest, ok := strings.CutPrefix(file, prefix); ok {
			if id, _, inFolder := strings.Cut(rest, "/"); inFolder {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
