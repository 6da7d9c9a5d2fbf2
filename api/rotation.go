package api

import (
	"context"
	"net/http"
	"time"

	"dialtone/models"
)

// overlapUntil reads how long a secret that is replaced stays good.
func (s *server) overlapUntil(r *request) (time.Time, error) {
	doc, err := r.document()
	if err != nil {
		return time.Time{}, err
	}
	if err := s.schemas["rotation"].settle(doc).err(); err != nil {
		return time.Time{}, err
	}
	hours, _ := s.schemas["rotation"].completed(doc).Int("overlap_hours")
	return s.Now().Add(time.Duration(hours) * time.Hour), nil
}

// showPathToken serves GET .../path_token: the provisioning URL, and who still
// needs the one before.
func (s *server) showPathToken(ctx context.Context, r *request) (*answer, error) {
	data, err := s.publicPathToken(ctx, r.account)
	if err != nil {
		return nil, err
	}
	return ok(data), nil
}

// rotatePathToken serves PUT .../path_token: another secret in the provisioning
// URL. The old one is good until every phone has been seen with the new one.
func (s *server) rotatePathToken(ctx context.Context, r *request) (*answer, error) {
	until, err := s.overlapUntil(r)
	if err != nil {
		return nil, err
	}
	var rotated *models.Account
	err = s.untilWritten(ctx, func(ctx context.Context) error {
		a, err := s.Store.Account(ctx, r.account.ID)
		if err != nil {
			return notFound(err, r.account.ID)
		}
		rotated, err = s.Store.RotatePathToken(ctx, a, until)
		return err
	})
	if err != nil {
		return nil, err
	}
	data, err := s.publicPathToken(ctx, rotated)
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusCreated, data: data}, nil
}

func (s *server) publicPathToken(ctx context.Context, a *models.Account) (map[string]any, error) {
	behind, err := s.Store.PhonesBehind(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"provisioning_url": s.ProvisioningURL(a),
		"old_good_until":   ahead(a.OldTokenUntil, s.Now()),
		"phones_behind":    behind,
	}, nil
}

// ahead is a time that is to come, else null.
func ahead(t, now time.Time) any {
	if !t.After(now) {
		return nil
	}
	return isoTime(t)
}

// rotateHTTPPassword serves PUT .../devices/{D}/http_password: another password
// for the phone to fetch its files with. The old one is good until the phone has
// been seen with the new one.
func (s *server) rotateHTTPPassword(ctx context.Context, r *request) (*answer, error) {
	until, err := s.overlapUntil(r)
	if err != nil {
		return nil, err
	}
	var rotated *models.Device
	err = s.untilWritten(ctx, func(ctx context.Context) error {
		d, err := s.device(ctx, r)
		if err != nil {
			return err
		}
		rotated, err = s.Store.RotateHTTPPassword(ctx, d, until)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusCreated, data: map[string]any{
		"username":       rotated.MACAddress,
		"password":       rotated.HTTPPassword.Reveal(),
		"old_good_until": ahead(rotated.OldPasswordUntil, s.Now()),
	}}, nil
}

// openFirstContact serves PUT .../devices/{D}/first_contact: for some minutes
// whoever asks first, without credentials, gets the phone's bootstrap file.
func (s *server) openFirstContact(ctx context.Context, r *request) (*answer, error) {
	d, err := s.device(ctx, r)
	if err != nil {
		return nil, err
	}
	doc, err := r.document()
	if err != nil {
		return nil, err
	}
	if err := s.schemas["first_contact"].settle(doc).err(); err != nil {
		return nil, err
	}
	minutes, _ := doc.Int("minutes")
	until := s.Now().Add(time.Duration(minutes) * time.Minute)
	if err := s.Store.OpenFirstContact(ctx, d, until); err != nil {
		return nil, notFound(err, d.ID)
	}
	return &answer{status: http.StatusCreated, data: map[string]any{"open_until": isoTime(until)}}, nil
}

// showFirstContact serves GET .../devices/{D}/first_contact: until when it is
// open, null when it is not, or was used.
func (s *server) showFirstContact(ctx context.Context, r *request) (*answer, error) {
	d, err := s.device(ctx, r)
	if err != nil {
		return nil, err
	}
	return ok(map[string]any{"open_until": ahead(d.FirstContact, s.Now())}), nil
}

// closeFirstContact serves DELETE .../devices/{D}/first_contact.
func (s *server) closeFirstContact(ctx context.Context, r *request) (*answer, error) {
	d, err := s.device(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := s.Store.OpenFirstContact(ctx, d, time.Time{}); err != nil {
		return nil, notFound(err, d.ID)
	}
	return ok(map[string]any{"open_until": nil}), nil
}
