package phonehttp

import (
	"slices"
	"time"
)

// An Observation is what figures are made of: it names neither phone nor account.
type Observation struct {
	Brand    string // of the phone, "" = not known or no brand with such a file
	Method   string // "GET", "HEAD", "PUT", "POST", "other"
	Status   int    // of the answer; 499 when it did not reach the phone
	Refused  string // the rule that did not let it in, "" = it was let in
	LastGood bool   // the file was one that was rendered before, since rendering failed
	Exposed  bool   // a file with secrets went out in the clear
	Took     time.Duration
}

// observe tells what became of a request.
func (v *visit) observe(err error) {
	if v.Observe == nil {
		return
	}
	o := Observation{Method: v.r.Method, Status: v.w.status, LastGood: v.lastGood, Exposed: v.exposed, Took: time.Since(v.begun)}
	if v.w.broken {
		o.Status = statusClientGone
	}
	if refused, is := asRefusal(err); is {
		o.Refused = string(refused.rule)
	}
	if v.phone != nil && slices.Contains(v.want.Brands, v.phone.Device.Provision.Brand) {
		o.Brand = v.phone.Device.Provision.Brand
	}
	switch o.Method {
	case "GET", "HEAD", "PUT", "POST":
	default:
		o.Method = "other"
	}
	v.Observe(o)
}
