package api

import (
	"context"

	"dialtone/provisioner"
)

// showProvision serves GET .../devices/{D}/provision: the files that the phone
// is given, and whether it has fetched them as they are now.
func (s *server) showProvision(ctx context.Context, r *request) (*answer, error) {
	phone, err := s.phone(ctx, r)
	if err != nil {
		return nil, err
	}
	report, err := s.Provision(ctx, phone)
	if err != nil {
		return nil, err
	}
	return ok(publicReport(report)), nil
}

func publicReport(report provisioner.Report) map[string]any {
	files := make([]any, 0, len(report.Files))
	for _, f := range report.Files {
		files = append(files, publicFile(f))
	}
	overrides := make([]any, 0, len(report.Overrides))
	for _, u := range report.Overrides {
		overrides = append(overrides, publicUpload(u, true))
	}
	missing := make([]any, 0, len(report.Missing))
	for _, l := range report.Missing {
		missing = append(missing, map[string]any{"number": l.Number, "device_id": l.DeviceID, "reason": l.Reason})
	}
	return map[string]any{
		"state":     report.State,
		"error":     report.Error,
		"url":       report.URL,
		"username":  report.Username,
		"password":  report.Password.Reveal(),
		"files":     files,
		"overrides": overrides,

		"missing_lines": missing,
	}
}

func publicFile(f provisioner.FileReport) map[string]any {
	out := map[string]any{
		"role":         f.Role,
		"name":         f.Name,
		"url":          f.URL,
		"etag":         f.ETag,
		"content_type": f.ContentType,
		"bytes":        f.Bytes,
		"state":        f.State,
		"error":        f.Error,
		"last_fetch":   nil,
	}
	if fetch := f.LastFetch; fetch != nil {
		out["last_fetch"] = map[string]any{
			"time":       isoTime(fetch.At),
			"method":     fetch.Method,
			"status":     fetch.Status,
			"etag":       fetch.ETag,
			"bytes":      fetch.Bytes,
			"source":     fetch.Source,
			"user_agent": fetch.UserAgent,
			"firmware":   fetch.Firmware,
		}
	}
	return out
}
