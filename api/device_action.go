package api

import (
	"context"
	"net/http"
	"time"

	"dialtone/models"
	"dialtone/provisioner"
)

// syncDevice serves POST .../devices/{D}/sync. The answer says nothing about
// the phone: see .../notifications for what became of it.
func (s *server) syncDevice(ctx context.Context, r *request) (*answer, error) {
	phone, err := s.phone(ctx, r)
	if err != nil {
		return nil, err
	}
	s.CheckSync(CheckSync{Phone: phone, Mode: r.syncMode()})
	return ok("sync request sent"), nil
}

// phone reads the device that the path names, with all that belongs to it.
func (s *server) phone(ctx context.Context, r *request) (*models.Phone, error) {
	id, err := r.pathID("device")
	if err != nil {
		return nil, err
	}
	phone, err := s.Store.PhoneByID(ctx, r.account.ID, id)
	return phone, notFound(err, id)
}

// deviceAction serves PUT .../devices/{D}: the envelope names an action.
func (s *server) deviceAction(ctx context.Context, r *request) (*answer, error) {
	phone, err := s.phone(ctx, r)
	if err != nil {
		return nil, err
	}
	switch r.parameter("action") {
	case "notify":
		return s.notify(r, phone)
	case "":
		return nil, &faultError{name: "action required", data: detail{}}
	}
	return nil, &faultError{name: "invalid action", data: detail{}}
}

// notifyDevice serves POST .../devices/{D}/notify.
func (s *server) notifyDevice(ctx context.Context, r *request) (*answer, error) {
	phone, err := s.phone(ctx, r)
	if err != nil {
		return nil, err
	}
	return s.notify(r, phone)
}

// notify sends the event that stands in data, or one level deeper, as some
// clients send it.
func (s *server) notify(r *request, phone *models.Phone) (*answer, error) {
	doc, err := r.document()
	if err != nil {
		return nil, err
	}
	if inner := objectAt(doc, "data"); inner != nil && doc["event"] == nil {
		doc = inner
	}
	if err := s.schemas["notify"].settle(doc).err(); err != nil {
		return nil, err
	}
	s.Notify(phone, doc.Text("event"), doc.Text("body.content_type"), []byte(doc.Text("body.data")))
	return &answer{status: http.StatusCreated, data: "NOTIFY sent"}, nil
}

// listNotifications serves GET .../devices/{D}/notifications: what became of
// the newest NOTIFYs.
func (s *server) listNotifications(ctx context.Context, r *request) (*answer, error) {
	d, err := s.device(ctx, r)
	if err != nil {
		return nil, err
	}
	stories, err := s.Store.Notifications(ctx, d.ID, maxNotifications)
	if err != nil {
		return nil, err
	}
	out := make([]any, 0, len(stories))
	for _, n := range stories {
		out = append(out, map[string]any{
			"id":       n.ID,
			"aor":      n.AOR,
			"contact":  n.Contact,
			"event":    n.Event,
			"state":    n.State,
			"code":     n.Code,
			"reason":   n.Reason,
			"created":  isoTime(n.Created),
			"finished": isoTime(n.Finished),
		})
	}
	return listed(out, nil), nil
}

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
	return map[string]any{
		"state":     report.State,
		"error":     report.Error,
		"url":       report.URL,
		"username":  report.Username,
		"password":  report.Password.Reveal(),
		"files":     files,
		"overrides": overrides,
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

// isoTime is ISO 8601 in UTC, nil for no time.
func isoTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}
