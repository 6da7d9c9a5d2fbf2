package sqlstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
	"dialtone/models/sqlstore"
)

func TestQuickCalls(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		now := time.Now().UTC().Truncate(time.Millisecond)
		a := newAccount(t, s, "acme.example.com")
		device := createDevice(t, s, a.ID, `{"name":"desk"}`)
		user := models.NewID()
		call := func(userID string, created time.Time) *models.QuickCall {
			c := &models.QuickCall{AccountID: a.ID, UserID: userID, Number: "100", State: models.CallRinging, Replica: "r1", Created: created}
			if err := s.CreateQuickCall(ctx, c); err != nil {
				t.Fatal(err)
			}
			return c
		}
		list := func(want ...*models.QuickCall) {
			t.Helper()
			ofDevice, err := s.DeviceQuickCalls(ctx, device.ID, 10)
			if err != nil {
				t.Fatal(err)
			}
			got := []*models.QuickCall{}
			for i := range ofDevice {
				got = append(got, &ofDevice[i])
			}
			if diff := cmp.Diff(append([]*models.QuickCall{}, want...), got); diff != "" {
				t.Errorf("calls of the device (-want +got):\n%s", diff)
			}
		}
		old, lost, newer := call("", now.Add(-48*time.Hour)), call("", now.Add(-time.Minute)), call(user, now)
		for _, c := range []*models.QuickCall{old, lost, newer} {
			c.DeviceID, c.Contact, c.State = device.ID, "sip:a@b", models.CallDialing
			c.Answered = c.Created.Add(time.Second)
		}
		old.State, old.Code, old.Reason, old.Finished = models.CallConnected, 200, "OK", now
		for _, c := range []*models.QuickCall{old, lost, newer} {
			if err := s.SaveQuickCall(ctx, c); err != nil {
				t.Fatal(err)
			}
		}
		list(newer, lost, old)
		if calls, err := s.UserQuickCalls(ctx, user, 10); err != nil || len(calls) != 1 || !cmp.Equal(calls[0], *newer) {
			t.Errorf("calls of the user: %+v, %v", calls, err)
		}

		s.SetClock(func() time.Time { return now })
		interrupt := func(replica string, started, old time.Time, ended ...*models.QuickCall) {
			t.Helper()
			if err := s.InterruptQuickCalls(ctx, replica, started, old); err != nil {
				t.Fatal(err)
			}
			for _, c := range ended {
				c.State, c.Reason, c.Finished = models.CallInterrupted, "the server stopped", now
			}
		}
		interrupt("r2", now, now.Add(-2*time.Minute))
		list(newer, lost, old)
		interrupt("r2", now, now.Add(-time.Second), lost) // r1 never came back
		list(newer, lost, old)
		interrupt("r1", now, now.Add(-2*time.Minute))
		list(newer, lost, old)
		interrupt("r1", now.Add(time.Second), now.Add(-2*time.Minute), newer)
		list(newer, lost, old)

		if err := s.Prune(ctx, sqlstore.Retention{History: 24 * time.Hour}); err != nil {
			t.Fatal(err)
		}
		list(newer, lost)
		newer.Reason, newer.Contact = strings.Repeat("ü", 300), "sip:"+strings.Repeat("a", 2000)
		if err := s.SaveQuickCall(ctx, newer); err != nil {
			t.Errorf("long texts: %v", err)
		}
		if err := s.DeleteDevice(ctx, device); err != nil {
			t.Fatal(err)
		}
		list()
		if err := s.SaveQuickCall(ctx, newer); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("call to a device that is gone: %v", err)
		}
	})
}

// What a user or account has had called goes with it.
func TestQuickCallsGo(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		below := &models.Account{Ancestors: []string{a.ID}}
		if err := below.SetDocument(models.Document{"name": "below", "realm": "below.example.com"}); err != nil {
			t.Fatal(err)
		}
		if err := s.CreateAccount(t.Context(), below, models.NewAPIKey()); err != nil {
			t.Fatal(err)
		}
		users := make([]*models.User, 2)
		for i := range users {
			users[i] = &models.User{AccountID: below.ID}
			if err := users[i].SetDocument(models.Document{"first_name": "A", "last_name": fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
			if err := s.CreateUser(t.Context(), users[i]); err != nil {
				t.Fatal(err)
			}
			if err := s.CreateQuickCall(t.Context(), &models.QuickCall{AccountID: below.ID, UserID: users[i].ID, Created: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.DeleteUser(t.Context(), users[0]); err != nil {
			t.Fatal(err)
		}
		count := func(u *models.User) int {
			calls, err := s.UserQuickCalls(t.Context(), u.ID, 10)
			if err != nil {
				t.Fatal(err)
			}
			return len(calls)
		}
		if count(users[0]) != 0 || count(users[1]) != 1 {
			t.Error("the calls of one deleted user are to go, and no others")
		}
		if err := s.DeleteAccount(t.Context(), below); err != nil {
			t.Fatal(err)
		}
		if count(users[1]) != 0 {
			t.Error("calls of a deleted account are left")
		}
	})
}
