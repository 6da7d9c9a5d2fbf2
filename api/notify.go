package api

import (
	"context"
	"math"
	"net/http"
	"time"

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
		return s.notify(ctx, r, phone)
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
	return s.notify(ctx, r, phone)
}

// A Notice is a NOTIFY that a client spells out.
type Notice struct {
	Phone       *models.Phone
	Event       string // the Event header, verbatim
	ContentType string // "" = without a body
	Body        []byte
	// Bindings are where to; nil = those that the phone has when it is sent.
	Bindings []models.Binding
}

// notify sends the event that stands in data, or one level deeper, as some
// clients send it.
func (s *server) notify(ctx context.Context, r *request, phone *models.Phone) (*answer, error) {
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
	bindings, err := s.contact(ctx, phone, doc.Text("contact"))
	if err != nil {
		return nil, err
	}
	s.Notify(Notice{
		Phone: phone, Event: doc.Text("event"),
		ContentType: doc.Text("body.content_type"), Body: []byte(doc.Text("body.data")), Bindings: bindings,
	})
	return &answer{status: http.StatusCreated, data: "NOTIFY sent"}, nil
}

// contact is the binding of a phone's contact that a request names; nil without
// a name: all that the phone has.
func (s *server) contact(ctx context.Context, phone *models.Phone, name string) ([]models.Binding, error) {
	if name == "" {
		return nil, nil
	}
	bindings, err := s.Store.Bindings(ctx, phone.Device.ID)
	if err != nil {
		return nil, err
	}
	for _, b := range bindings {
		if b.Contact == name {
			return []models.Binding{b}, nil
		}
	}
	return nil, invalid("contact", "not_found", "the phone has no such contact registered", detail{"value": name, "cause": name})
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
		out = append(out, publicNotification(n))
	}
	return listed(out, nil), nil
}

func publicNotification(n models.Notification) map[string]any {
	return map[string]any{
		"id":              n.ID,
		"job_id":          n.JobID,
		"aor":             n.AOR,
		"contact":         n.Contact,
		"event":           n.Event,
		"state":           n.State,
		"code":            n.Code,
		"reason":          n.Reason,
		"attempts":        n.Attempts,
		"created":         isoTime(n.Created),
		"next_attempt":    isoTime(n.Next),
		"finished":        isoTime(n.Finished),
		"fetched":         isoTime(n.Fetched),
		"registered":      isoTime(n.Registered),
		"came_back_after": cameBackAfter(n.Created, n.Fetched, n.Registered),
	}
}

// cameBackAfter is how many seconds after a NOTIFY the phone had done the last
// thing that is known of it; nil when it has done nothing yet.
func cameBackAfter(told, fetched, registered time.Time) any {
	last := fetched
	if registered.After(last) {
		last = registered
	}
	if last.IsZero() {
		return nil
	}
	return math.Round(last.Sub(told).Seconds()*1000) / 1000
}
