package api_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

func TestUnknownDevices(t *testing.T) {
	b := newBench(t)
	child, _ := b.account("Child", "child.example.com", b.master)
	at := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
	var fetches []models.Fetch
	asked := func(account, mac, device, userAgent string) {
		at = at.Add(time.Minute)
		fetches = append(fetches, models.Fetch{AccountID: account, DeviceID: device, MAC: mac, File: mac + ".cfg", Method: "GET", Status: 404,
			Source: "192.0.2.7", UserAgent: userAgent, At: at})
	}
	known := b.device(`{"name":"a","mac_address":"001565aabb01"}`)
	asked(b.master.ID, "001565aabb02", "", "Mozilla")
	asked(b.master.ID, "001565aabb02", "", "Yealink SIP-T46U 108.86.0.20 00:15:65:aa:bb:02")
	asked(b.master.ID, "001565aabb01", "", "before it was a device")
	asked(b.master.ID, "001565aabb01", known[len(known)-32:], "x")
	asked(b.master.ID, "", "", "common file")
	asked(b.master.ID, "0004f2aabb03", "", "FileTransport PolycomVVX-VVX_450-UA/6.4.3.5156 (SN:0004f2aabb03) Type/Application")
	asked(child.ID, "001565aabb09", "", "of another account")
	if err := b.store.RecordFetches(t.Context(), fetches); err != nil {
		t.Fatal(err)
	}

	path := "/v2/accounts/" + b.master.ID + "/unknown_devices"
	want := `[
		{"mac_address":"0004f2aabb03","endpoint_brand":"polycom","endpoint_family":"vvx","endpoint_model":"vvx450","firmware":"6.4.3.5156",
		 "user_agent":"FileTransport PolycomVVX-VVX_450-UA/6.4.3.5156 (SN:0004f2aabb03) Type/Application","source":"192.0.2.7","file":"0004f2aabb03.cfg",
		 "requests":1,"first_seen":"2026-11-23T11:06:00Z","last_seen":"2026-11-23T11:06:00Z"},
		{"mac_address":"001565aabb02","endpoint_brand":"yealink","endpoint_family":"t4x","endpoint_model":"t46u","firmware":"108.86.0.20",
		 "user_agent":"Yealink SIP-T46U 108.86.0.20 00:15:65:aa:bb:02","source":"192.0.2.7","file":"001565aabb02.cfg",
		 "requests":2,"first_seen":"2026-11-23T11:01:00Z","last_seen":"2026-11-23T11:02:00Z"}]`
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, b.do("GET", path, "").want(http.StatusOK).list())); diff != "" {
		t.Error(diff)
	}
	first := b.do("GET", path+"?page_size=1", "").want(http.StatusOK)
	next := b.do("GET", fmt.Sprintf("%s?page_size=1&start_key=%v", path, first.envelope["next_start_key"]), "").want(http.StatusOK)
	if len(next.list()) != 1 || next.envelope["next_start_key"] != nil || next.list()[0].(map[string]any)["mac_address"] != "001565aabb02" {
		t.Errorf("second page: %s", next.body)
	}
	b.do("GET", path+"?start_key=x", "").fails(http.StatusNotFound, "faulty_request")

	b.device(`{"name":"b","mac_address":"001565aabb02"}`)
	if got := b.do("GET", path, "").list(); len(got) != 1 {
		t.Errorf("after one was made a device: %v", got)
	}
}
