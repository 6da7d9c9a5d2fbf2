package provisioner

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dialtone/models"
)

// Rule is how the device's brand describes a file; false when it has none of
// that name. Whether the MAC in the name is the device's is not asked.
func (r Request) Rule(d *models.Device) (*FileRule, bool) {
	file, ok := r.ruleFor(d)
	return file.rule, ok
}

// Overrides reports whether what the device stores under that name beats the
// settings that it is given.
func (c *Catalog) Overrides(d *models.Device, name string) bool {
	req, _ := c.match(name)
	rule, ok := req.Rule(d)
	return ok && rule.Override
}

func (c *Catalog) overrides(d *models.Device, kept []models.Upload) []models.Upload {
	var found []models.Upload
	for _, u := range kept {
		if c.Overrides(d, u.Name) {
			found = append(found, u)
		}
	}
	return found
}

func (s *Service) uploads(ctx context.Context, deviceID string) ([]models.Upload, error) {
	kept, err := s.store.Uploads(ctx, deviceID)
	if err != nil {
		return nil, fmt.Errorf("device %s, uploads: %w", deviceID, err)
	}
	return kept, nil
}

// prefer turns to what the phone itself stored, when the rule lets it: it has
// that, whether or not it fetched it.
func (f *FileReport) prefer(rule *FileRule, kept []models.Upload) {
	i := slices.IndexFunc(kept, func(u models.Upload) bool { return strings.EqualFold(u.Name, f.Name) })
	if rule.Upload == nil || i < 0 {
		return
	}
	f.ETag, f.ContentType, f.Bytes = kept[i].ETag, kept[i].ContentType, int(kept[i].Bytes)
	f.State, f.Error = StateInSync, ""
}
