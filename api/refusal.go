package api

import (
	"context"

	"dialtone/models"
)

// listRefusals serves GET .../refusals: the phones' requests that were refused,
// the newest first, with the rule and what would have let them pass.
func (s *server) listRefusals(ctx context.Context, r *request) (*answer, error) {
	size, err := r.pageSize()
	if err != nil {
		return nil, err
	}
	refusals, err := s.Store.Refusals(ctx, r.account.ID, size)
	if err != nil {
		return nil, err
	}
	entries := make([]any, len(refusals))
	for i, refusal := range refusals {
		entries[i] = publicRefusal(refusal)
	}
	return listed(entries, nil), nil
}

func publicRefusal(r models.Refusal) map[string]any {
	return map[string]any{
		"rule":        string(r.Rule),
		"hint":        r.Rule.Hint(),
		"device_id":   r.DeviceID,
		"mac_address": r.MAC,
		"file":        r.File,
		"source":      r.Source,
		"method":      r.Method,
		"status":      r.Status,
		"user_agent":  r.UserAgent,
		"requests":    r.Requests,
		"first_seen":  isoTime(r.First),
		"last_seen":   isoTime(r.Last),
	}
}
