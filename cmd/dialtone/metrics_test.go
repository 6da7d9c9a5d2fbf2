package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// What a server did is in its metrics, by names that Prometheus' own lint
// accepts, and neither an account nor a phone nor a secret is.
func TestMetrics(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir))
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	id := a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice).id(t)
	phone := startPhone(t, dir, a.url)
	wait(t, "the registration", func() bool { return strings.Contains(phone.String(), "expires 300") })
	a.must(t, http.StatusOK, "POST", "devices/"+id+"/sync", "")
	wait(t, "the NOTIFY's outcome", func() bool { return strings.Contains(a.outcomes(t, id), `"accepted"`) })
	for _, name := range []string{"001565aabbcc.cfg", "001565ffffff.cfg"} {
		fetch(t, strings.TrimSuffix(a.url, "/")+"/"+name)
	}
	for _, path := range []string{"/mischief/1", "/v2/nothing"} {
		fetch(t, p.api+path)
	}

	var text string
	told := func(line string) func() bool {
		return func() bool {
			_, text = fetch(t, p.api+"/metrics")
			return strings.Contains(text, "\n"+line)
		}
	}
	for _, line := range []string{
		`dialtone_build_info{version="`,
		`dialtone_phone_requests_total{brand="yealink",method="GET",status="200"} `,
		`dialtone_phone_requests_total{brand="",method="GET",status="404"} `,
		`dialtone_phone_request_seconds_count{brand="yealink"} `,
		`dialtone_phone_refusals_total{rule="unknown_device"} 1`,
		`dialtone_phone_secrets_in_clear_total `,
		`dialtone_phone_last_good_files_total 0`,
		`dialtone_phone_records_dropped_total 0`,
		`dialtone_render_seconds_count{brand="yealink"} `,
		`dialtone_rendered_cache_bytes `,
		`dialtone_api_request_seconds_count `,
		`dialtone_api_requests_total{method="PUT",route="/v2/accounts/:account/devices",status="201"} 1`,
		`dialtone_api_requests_total{method="GET",route="",status="404"} 2`,
		`dialtone_sip_requests_total{method="REGISTER",status="401"} `,
		`dialtone_sip_requests_total{method="REGISTER",status="200"} `,
		`dialtone_sip_notifications_total{outcome="accepted"} 1`,
		`dialtone_sip_connections 0`,
		`go_sql_open_connections{db_name="database"} `,
		`go_goroutines `,
		`process_open_fds `,
	} {
		wait(t, line, told(line))
	}
	for _, secret := range []string{a.account, id, "001565", a.token, "s3cret", a.url, "mischief"} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
			t.Errorf("%q is in the metrics", secret)
		}
	}
	if strings.Contains(text, "dialtone_phone_secrets_in_clear_total 0\n") {
		t.Error("files with secrets went out in the clear, and were not counted")
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		if strings.HasPrefix(problem.Metric, "dialtone_") {
			t.Errorf("%s: %s", problem.Metric, problem.Text)
		}
	}
}
