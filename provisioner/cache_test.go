package provisioner

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"dialtone/models"
)

// What was rendered last for a phone stays at hand when it cannot be rendered
// any more, by a panic either. Other phones, and other accounts, have none.
func TestLastFiles(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := NewService(&fakeStore{}, loadAcme(t, nil), Options{BaseURL: "http://host", Now: func() time.Time { return now }})
	fail := false
	s.render = func(c *Catalog, name string, rule *FileRule, in viewInput) (File, error) {
		if fail {
			panic("out of order")
		}
		return c.renderFile(name, rule, in)
	}
	phone := acmePhone(t)
	rendered := map[string]File{}
	for _, name := range []string{"001122334455.txt", "m11.txt"} {
		var err error
		if rendered[name], err = s.DeviceFile(t.Context(), phone, name); err != nil {
			t.Fatal(err)
		}
	}
	fail, now = true, now.Add(48*time.Hour)
	if _, err := s.DeviceFile(t.Context(), phone, "001122334455.txt"); err == nil || !strings.Contains(err.Error(), "panic") {
		t.Errorf("a panic: got %v", err)
	}
	for name, want := range rendered {
		got, ok := s.LastFile(phone, request(t, s, name))
		if !ok || string(got.Body) != string(want.Body) || got.ETag != want.ETag || !got.At.Equal(now.Add(-48*time.Hour)) {
			t.Errorf("%s: got %q of %v, %v", name, got.Body, got.At, ok)
		}
	}
	if got, ok := s.LastCommonFile(phone.Account, UserAgent{}, request(t, s, "m11.txt")); !ok || string(got.Body) != string(rendered["m11.txt"].Body) {
		t.Errorf("the account's: got %q, %v", got.Body, ok)
	}
	stranger, foreign := acmePhone(t), *phone.Account
	stranger.Device.ID = models.NewID()
	foreign.ID = models.NewID()
	if got, ok := s.LastFile(stranger, request(t, s, "001122334455.txt")); ok {
		t.Errorf("another device with that MAC: got %q", got.Body)
	}
	if got, ok := s.LastFile(phone, request(t, s, "001122334456.txt")); ok {
		t.Errorf("another phone's file: got %q", got.Body)
	}
	if got, ok := s.LastCommonFile(&foreign, UserAgent{}, request(t, s, "m11.txt")); ok {
		t.Errorf("another account's: got %q", got.Body)
	}
}

// Files that are kept take a bounded number of bytes, of each phone the last.
func TestCacheIsBounded(t *testing.T) {
	const room = 64 << 10
	text := make([]byte, 4<<10)
	rand.NewChaCha8([32]byte{}).Read(text)              //nolint:errcheck // never fails; it is the same every time
	long := "name = " + hex.EncodeToString(text) + "\n" // does not shrink when packed
	s := NewService(&fakeStore{}, loadAcme(t, map[string]string{"acme/settings.tpl": long}), Options{CacheBytes: room})
	for i := range 100 {
		phone := acmePhone(t)
		phone.Device.ID = fmt.Sprintf("%032d", i)
		if _, err := s.DeviceFile(t.Context(), phone, "001122334455.txt"); err != nil {
			t.Fatal(err)
		}
	}
	s.cache.kept.CleanUp()
	if got := s.cache.kept.WeightedSize(); got > room || got < room/2 {
		t.Errorf("100 files of 8 KB take %d bytes, want up to %d", got, room)
	}
	phone := acmePhone(t)
	for i := range 100 {
		phone.Device.Revision = fmt.Sprintf("%d-x", i)
		if _, err := s.DeviceFile(t.Context(), phone, "001122334455.txt"); err != nil {
			t.Fatal(err)
		}
	}
	s.cache.kept.CleanUp()
	if got := s.cache.kept.EstimatedSize(); got > room/(8<<10) {
		t.Errorf("%d files are kept after 100 changes of one phone", got)
	}
	if _, err := s.DeviceFile(t.Context(), phone, "001122334456.txt"); !errors.Is(err, models.ErrNotFound) {
		t.Errorf("another phone's: got %v", err)
	}
}

// request is the request for a name.
func request(t *testing.T, s *Service, name string) Request {
	t.Helper()
	req, ok := s.Match(name)
	if !ok {
		t.Fatalf("no brand has a file %s", name)
	}
	return req
}
