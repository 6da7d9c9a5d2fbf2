package api

import (
	"context"
	"net/http"

	"dialtone/models"
)

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
