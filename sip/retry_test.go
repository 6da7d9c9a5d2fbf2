package sip_test

import (
	"fmt"
	"testing"
	"time"

	"dialtone/models"
	"dialtone/sip"
)

// patient sends NOTIFYs again after these pauses.
func patient(pauses ...time.Duration) func(*sip.Config) {
	return func(c *sip.Config) { c.NotifyPauses, c.NotifyTimeout = pauses, 200*time.Millisecond }
}

// retrying waits until the phone's newest notification is to be sent again.
func (o *office) retrying(t *testing.T, p *models.Phone) models.Notification {
	t.Helper()
	var last models.Notification
	eventually(t, "a notification that is sent again", func() bool {
		all, err := o.store.Notifications(t.Context(), p.Device.ID, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 1 {
			last = all[0]
		}
		return last.State == models.NotifyRetrying
	})
	return last
}

// Only answers that may pass are asked for again, and an answer makes the next
// NOTIFY another request.
func TestNotifyRepeatedAfterAnswer(t *testing.T) {
	o := open(t, patient(time.Millisecond))
	for i, status := range []string{"408 Request Timeout", "480 Temporarily Unavailable", "500 Error", "503 Busy", "504 Late"} {
		t.Run(status, func(t *testing.T) {
			user := fmt.Sprintf("phone%d", i)
			phone, w := o.device(t, map[string]any{"username": user, "password": password}), o.udp(t)
			if res := w.register(t, register{user: user, contact: []string{"<sip:a@10.0.0.1>"}}); res.code() != 200 {
				t.Fatal(res)
			}
			o.Notify(checkSync(phone))
			first := w.read(t)
			w.respond(t, first, status)
			second := w.read(t)
			if second.get("Via") == first.get("Via") || second.get("CSeq") != "2 NOTIFY" || second.get("Call-ID") != first.get("Call-ID") {
				t.Errorf("got %v after %v", second, first)
			}
			w.respond(t, second, "200 OK")
			got := o.outcomes(t, phone, 1)
			if len(got) != 1 || got[0].State != models.NotifyAccepted || got[0].Attempts != 2 || !got[0].Next.IsZero() {
				t.Errorf("got %+v", got)
			}
		})
	}
	for i, status := range []string{"405 Not Allowed", "481 No", "489 Bad Event", "501 No", "603 Decline"} {
		t.Run(status, func(t *testing.T) {
			user := fmt.Sprintf("refuser%d", i)
			phone, w := o.device(t, map[string]any{"username": user, "password": password}), o.udp(t)
			if res := w.register(t, register{user: user, contact: []string{"<sip:a@10.0.0.1>"}}); res.code() != 200 {
				t.Fatal(res)
			}
			o.Notify(checkSync(phone))
			w.respond(t, w.read(t), status)
			if got := o.outcomes(t, phone, 1); len(got) != 1 || got[0].State != models.NotifyRefused || got[0].Attempts != 1 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// A NOTIFY without an answer is sent again as it was, and given up in the end.
func TestNotifyRepeatedWithoutAnswer(t *testing.T) {
	o := open(t, patient(time.Millisecond, time.Millisecond))
	ann, w := o.ann(t), o.udp(t)
	w.mustRegister(t, "<sip:a@10.0.0.1>")
	o.Notify(checkSync(ann))
	first := w.read(t)
	for range 2 {
		if again := w.read(t); again.String() != first.String() {
			t.Errorf("got %v after %v", again, first)
		}
	}
	o.one(t, ann, models.Notification{Contact: "sip:a@10.0.0.1", State: models.NotifyTimeout, Reason: "no answer"})
	if got := o.outcomes(t, ann, 1); got[0].Attempts != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestNotifyRetryAfter(t *testing.T) {
	o := open(t, patient(time.Millisecond))
	ann, w := o.ann(t), o.udp(t)
	w.mustRegister(t, "<sip:a@10.0.0.1>")
	o.Notify(checkSync(ann))
	w.respond(t, w.read(t), "503 Busy", "Retry-After: 100 (in a call);duration=5")
	if got := o.retrying(t, ann); got.Next.Before(got.Created.Add(100*time.Second)) || got.Code != 503 || got.Attempts != 1 {
		t.Errorf("got %+v, want another attempt after 100 s", got)
	}
	o.Notify(checkSync(ann))
	w.respond(t, w.read(t), "503 Busy", "Retry-After: 3600")
	if got := o.outcomes(t, ann, 1); got[0].State != models.NotifyRefused || got[0].Code != 503 {
		t.Errorf("got %+v", got)
	}
}

// A connection that is gone is recorded at once; a phone that has come back
// over another one by the next attempt is reached there.
func TestNotifyFollowsThePhone(t *testing.T) {
	o := open(t, patient(2*time.Second))
	ann, w := o.ann(t), o.tcp(t)
	w.mustRegister(t, "<sip:a@10.0.0.1:1;transport=tcp>")
	o.Notify(checkSync(ann))
	w.read(t)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got := o.retrying(t, ann)
	if got.Reason != "the phone's connection is gone" || got.Attempts != 1 || got.Contact != "sip:a@10.0.0.1:1;transport=tcp" {
		t.Errorf("got %+v", got)
	}
	back := o.tcp(t)
	back.mustRegister(t, "<sip:a@10.0.0.1:2;transport=tcp>")
	if res := back.register(t, register{contact: []string{"<sip:a@10.0.0.1:1;transport=tcp>;expires=0"}}); res.code() != 200 {
		t.Fatal(res)
	}
	back.respond(t, back.read(t), "200 OK")
	o.one(t, ann, models.Notification{Contact: "sip:a@10.0.0.1:2;transport=tcp", State: models.NotifyAccepted, Code: 200, Reason: "OK"})
}

// The contact that was named is kept to, and nobody else hears of it.
func TestNotifyOneContact(t *testing.T) {
	o := open(t, patient(time.Millisecond))
	ann, one, other := o.ann(t), o.udp(t), o.udp(t)
	one.mustRegister(t, "<sip:one@10.0.0.1>")
	other.mustRegister(t, "<sip:other@10.0.0.2>")
	r := checkSync(ann)
	for _, b := range o.bindings(t, ann) {
		if b.Contact == "sip:one@10.0.0.1" {
			r.Bindings = append(r.Bindings, b)
		}
	}
	o.Notify(r)
	one.respond(t, one.read(t), "480 Later")
	one.respond(t, one.read(t), "200 OK")
	o.one(t, ann, models.Notification{Contact: "sip:one@10.0.0.1", State: models.NotifyAccepted, Code: 200, Reason: "OK"})
	if m, err := other.tryRead(100 * time.Millisecond); err == nil {
		t.Errorf("the other contact got %v", m)
	}
}

// A phone that has fetched although no answer came is left alone.
func TestNotifyOfPhoneThatCameBack(t *testing.T) {
	o := open(t, patient(time.Second))
	ann, w := o.ann(t), o.udp(t)
	w.mustRegister(t, "<sip:a@10.0.0.1>")
	r := checkSync(ann)
	r.Watch = time.Minute
	o.Notify(r)
	w.read(t)
	fetch := models.Fetch{AccountID: o.account.ID, DeviceID: ann.Device.ID, File: "x", Method: "GET", Status: 200, At: time.Now()}
	if err := o.store.RecordFetches(t.Context(), []models.Fetch{fetch}); err != nil {
		t.Fatal(err)
	}
	got := o.outcomes(t, ann, 1)[0]
	if got.State != models.NotifyTimeout || got.Attempts != 1 || !got.WatchUntil.Equal(got.Finished.Add(time.Minute)) {
		t.Errorf("got %+v", got)
	}
}

// What a killed server has left without outcome gets one when it starts again,
// and in time also without it.
func TestNotificationsOfADeadServer(t *testing.T) {
	o := open(t, nil)
	ann := o.ann(t)
	left := map[string]*models.Notification{}
	for name, n := range map[string]models.Notification{
		"own":            {Replica: "killed", State: models.NotifyQueued, Created: time.Now().Add(-time.Second)},
		"own, retrying":  {Replica: "killed", State: models.NotifyRetrying, Created: time.Now().Add(-time.Second), Next: time.Now()},
		"other's":        {Replica: "another", State: models.NotifyQueued, Created: time.Now().Add(-time.Second)},
		"other's, old":   {Replica: "another", State: models.NotifyQueued, Created: time.Now().Add(-time.Hour)},
		"own, but ended": {Replica: "killed", State: models.NotifyAccepted, Created: time.Now().Add(-time.Second)},
	} {
		n.AccountID, n.DeviceID = o.account.ID, ann.Device.ID
		if err := o.store.SaveNotification(t.Context(), &n); err != nil {
			t.Fatal(err)
		}
		left[name] = &n
	}
	open(t, func(c *sip.Config) { c.Store, c.Replica = o.store, "killed" })
	o.outcomes(t, ann, 4)
	all, err := o.store.Notifications(t.Context(), ann.Device.ID, 10)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"own": "timeout", "own, retrying": "timeout", "other's": "queued", "other's, old": "timeout", "own, but ended": "accepted",
	} {
		for _, n := range all {
			if n.ID == left[name].ID && (n.State != want || n.State == "timeout" && (n.Reason == "" || n.Finished.IsZero() || !n.Next.IsZero())) {
				t.Errorf("%s: got %+v, want %s", name, n, want)
			}
		}
	}
}

// A NOTIFY with the same ID is a retransmission for a phone, and one record.
func TestNotifyTheSameAgain(t *testing.T) {
	o := open(t, nil)
	ann, w := o.ann(t), o.udp(t)
	w.mustRegister(t, "<sip:a@10.0.0.1>")
	done := make(chan string, 2)
	r := checkSync(ann)
	r.ID, r.Done = "item 1", func(state string) { done <- state }
	var heard []*message
	for range 2 {
		o.Notify(r)
		heard = append(heard, w.read(t))
		w.respond(t, heard[len(heard)-1], "200 OK")
		if got := <-done; got != models.NotifyAccepted {
			t.Errorf("got %s", got)
		}
	}
	if heard[0].String() != heard[1].String() {
		t.Errorf("got %v and %v", heard[0], heard[1])
	}
	o.one(t, ann, models.Notification{Contact: "sip:a@10.0.0.1", State: models.NotifyAccepted, Code: 200, Reason: "OK"})
}
