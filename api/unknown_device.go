package api

import (
	"context"

	"dialtone/models"
)

// listUnknownDevices serves GET .../unknown_devices: the phones that asked for
// files under the account's URL and are no device of it, by MAC.
func (s *server) listUnknownDevices(ctx context.Context, r *request) (*answer, error) {
	size, err := r.pageSize()
	if err != nil {
		return nil, err
	}
	start := r.parameter("start_key")
	if _, err := models.ParseMAC(start); start != "" && (err != nil || models.CleanMAC(start) != start) {
		return nil, badStartKey()
	}
	phones, err := s.Store.UnknownDevices(ctx, r.account.ID, start, size+1)
	if err != nil {
		return nil, err
	}
	p := &page{start: start, count: min(len(phones), size)}
	if len(phones) > size {
		p.next = phones[size-1].MAC
	}
	catalog := s.Catalog()
	entries := make([]any, p.count)
	for i := range entries {
		u := phones[i]
		who := catalog.Identify(u.UserAgent)
		entries[i] = map[string]any{
			"mac_address":     u.MAC,
			"endpoint_brand":  who.Brand,
			"endpoint_family": who.Family,
			"endpoint_model":  who.Model,
			"firmware":        who.Firmware,
			"user_agent":      u.UserAgent,
			"source":          u.Source,
			"file":            u.File,
			"requests":        u.Requests,
			"first_seen":      isoTime(u.First),
			"last_seen":       isoTime(u.Last),
		}
	}
	return listed(entries, p), nil
}
