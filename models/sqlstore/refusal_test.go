package sqlstore_test

import (
	"fmt"
	"testing"
	"time"

	"dialtone/models"
	"dialtone/models/sqlstore"
)

func TestRefusals(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		ctx := t.Context()
		a, other := newAccount(t, s, "acme.example.com"), newAccount(t, s, "other.example.com")
		now := time.Now().UTC().Truncate(time.Millisecond)
		refused := func(account, file string, at time.Time) models.Refusal {
			return models.Refusal{AccountID: account, Rule: models.RefusedUnknown, File: file, Source: "192.0.2.7", Method: "GET", Status: 404,
				Requests: 1, First: at, Last: at}
		}
		for range 2 { // of two servers, or one after the other
			err := s.RecordRefusals(ctx, []models.Refusal{refused(a.ID, "a.cfg", now.Add(-time.Hour)), refused(a.ID, "b.cfg", now), refused(a.ID, "a.cfg", now.Add(-time.Minute))})
			if err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.Refusals(ctx, a.ID, 10)
		if err != nil || len(got) != 2 || got[0].File != "b.cfg" || got[0].Requests != 2 || got[1].Requests != 4 ||
			!got[1].First.Equal(now.Add(-time.Hour)) || !got[1].Last.Equal(now.Add(-time.Minute)) {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, err := s.Refusals(ctx, other.ID, 10); err != nil || len(got) != 0 {
			t.Errorf("of another account: got %+v, %v", got, err)
		}

		var many []models.Refusal
		for i := range 1100 {
			many = append(many, refused(other.ID, fmt.Sprintf("%d.cfg", i), now.Add(time.Duration(i)*time.Second)))
		}
		if err := s.RecordRefusals(ctx, many); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Refusals(ctx, other.ID, 2000); err != nil || len(got) != 1000 || got[0].File != "1099.cfg" || got[999].File != "100.cfg" {
			t.Errorf("got %d refusals, %v, want the newest 1000", len(got), err)
		}
		if err := s.Prune(ctx, sqlstore.Retention{History: 30 * time.Minute}); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Refusals(ctx, a.ID, 10); err != nil || len(got) != 2 {
			t.Errorf("while they are fresh: got %d, %v", len(got), err)
		}
	})
}
