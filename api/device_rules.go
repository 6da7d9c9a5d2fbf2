package api

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"dialtone/models"
)

// newDevice makes a device of what was sent; it is good when nothing is wrong.
func (rs rules) newDevice(ctx context.Context, actor, account *models.Account, doc models.Document) (*models.Device, problems, error) {
	d, wrong, err := rs.draftDevice(ctx, actor, account, doc)
	if err != nil {
		return nil, nil, err
	}
	return d, wrong, rs.checkUnique(ctx, account, doc, nil, wrong)
}

// draftDevice is newDevice, but for values that another device has.
func (rs rules) draftDevice(ctx context.Context, actor, account *models.Account, doc models.Document) (*models.Device, problems, error) {
	id, idWrong := takeID(doc)
	preferSentExpiry(doc, doc)
	wrong, err := rs.settleDraft(ctx, actor, account, doc, nil)
	if err != nil {
		return nil, nil, err
	}
	wrong.merge(idWrong)
	d := &models.Device{AccountID: account.ID}
	d.ID = id
	if len(wrong) > 0 {
		return d, wrong, nil
	}
	return d, wrong, d.SetDocument(doc)
}

// settleDevice makes doc, of a device of an account, what is stored: cleaned and
// checked, without defaults. old is the device as it is, nil for a new one.
func (rs rules) settleDevice(ctx context.Context, actor, account *models.Account, doc models.Document, old *models.Device) (problems, error) {
	wrong, err := rs.settleDraft(ctx, actor, account, doc, old)
	if err != nil {
		return nil, err
	}
	return wrong, rs.checkUnique(ctx, account, doc, old, wrong)
}

// settleDraft is settleDevice, but for values that another device has.
func (rs rules) settleDraft(ctx context.Context, actor, account *models.Account, doc models.Document, old *models.Device) (problems, error) {
	cleanMAC(doc)
	trimOutboundFlags(doc)
	dropAccountRealm(doc, account.Realm)
	dropClearedKeys(doc)
	spellEmergency(doc)
	spellModel(doc)
	wrong := rs.settle(rs.schemas["devices"], doc)
	alignExpiry(doc)
	checkMobile(doc, old, actor, wrong)
	checkSourceIP(doc, wrong)
	checkDeviceType(doc, old, actor, wrong)
	return wrong, rs.checkLines(ctx, account, doc, old, wrong)
}

// checkLines wants each further line of a phone to be another device of the
// account. Of what was stored before, a device may have gone since.
func (rs rules) checkLines(ctx context.Context, account *models.Account, doc models.Document, old *models.Device, wrong problems) error {
	lines := objectAt(doc, "provision.lines")
	var before map[string]any
	seen := map[string]bool{}
	if old != nil {
		before = objectAt(old.Document, "provision.lines")
		seen[old.ID] = true
	}
	if reflect.DeepEqual(lines, before) || len(lines) > models.MaxLines { // of so many the schema refuses some
		return nil
	}
	asked := map[string]string{} // the new ones
	for _, number := range slices.Sorted(maps.Keys(lines)) {
		id, _ := lines[number].(string)
		if n, _ := strconv.Atoi(number); n < 2 || n > models.MaxLines || !models.ValidID(id) {
			continue // the schema says so
		}
		if seen[id] {
			wrong.add("provision.lines."+number, "unique", "names the device itself, or that of another line", detail{"cause": id})
		}
		seen[id] = true
		if before[number] != id {
			asked[number] = id
		}
	}
	there, err := rs.store.DevicesThere(ctx, account.ID, slices.Collect(maps.Values(asked)))
	if err != nil {
		return err
	}
	for number, id := range asked {
		if !there[id] {
			wrong.add("provision.lines."+number, "not_found", "no device of the account", detail{"cause": id})
		}
	}
	return nil
}

// cleanMAC keeps what was sent when nothing of it is a hex digit: no MAC.
func cleanMAC(doc models.Document) {
	if clean := models.CleanMAC(doc.Text("mac_address")); clean != "" {
		doc["mac_address"] = clean
	}
}

func trimOutboundFlags(doc models.Document) {
	v, sent := doc["outbound_flags"]
	if !sent {
		return
	}
	flags, isList := v.([]any)
	if !isList {
		flags = []any{}
	}
	for i := range flags {
		if flag, isText := flags[i].(string); isText {
			flags[i] = strings.TrimSpace(flag)
		}
	}
	doc["outbound_flags"] = flags
}

func dropAccountRealm(doc models.Document, realm string) {
	if sent := doc.Text("sip.realm"); sent != "" && strings.EqualFold(sent, realm) {
		doc.Delete("sip.realm")
	}
}

// dropClearedKeys removes the key slots that are null: there is no key.
func dropClearedKeys(doc models.Document) {
	for _, path := range []string{"provision.combo_keys", "provision.feature_keys"} {
		keys := objectAt(doc, path)
		for number, key := range keys {
			if key == nil {
				delete(keys, number)
			}
		}
	}
}

// spellModel stores a model that was sent as a number as text.
func spellModel(doc models.Document) {
	provision := objectAt(doc, "provision")
	if n, isNumber := provision["endpoint_model"].(json.Number); isNumber {
		provision["endpoint_model"] = n.String()
	}
}

// alignExpiry keeps sip.expire_seconds and its older name
// sip.registration_expiration the same; the newer one wins.
func alignExpiry(doc models.Document) {
	sip := objectAt(doc, "sip")
	if v, present := sip["expire_seconds"]; present {
		sip["registration_expiration"] = v
	} else if v, present := sip["registration_expiration"]; present {
		sip["expire_seconds"] = v
	}
}

// preferSentExpiry drops from what became of a document the name of the two that
// was not sent, so that a PATCH of either counts and is what is complained of.
func preferSentExpiry(doc, sent models.Document) {
	sip := objectAt(sent, "sip")
	if _, isSent := sip["expire_seconds"]; isSent {
		doc.Delete("sip.registration_expiration")
	} else if _, isSent := sip["registration_expiration"]; isSent {
		doc.Delete("sip.expire_seconds")
	}
}

// spellEmergency stores the emergency caller id in E.164, as emergency
// services want it.
func spellEmergency(doc models.Document) {
	if number := doc.Text("caller_id.emergency.number"); number != "" {
		doc.Set("caller_id.emergency.number", models.E164(number))
	}
}

// checkMobile wants a number of mobile phones, which only the master account
// changes later.
func checkMobile(doc models.Document, old *models.Device, actor *models.Account, wrong problems) {
	if doc["device_type"] != models.DeviceMobile {
		return
	}
	mdn := doc.Text("mobile.mdn")
	if mdn == "" {
		wrong.add("mobile.mdn", "required", "field is required", detail{"value": "mdn"})
	} else if old != nil && !actor.IsMaster() && mdn != old.Document.Text("mobile.mdn") {
		wrong.add("mobile.mdn", "invalid", "cannot be changed", detail{"cause": mdn})
	}
}

// checkSourceIP wants a plain IPv4 address of devices that are known by it.
func checkSourceIP(doc models.Document, wrong problems) {
	if doc.Text("sip.method") != "ip" {
		return
	}
	v, _ := doc.Lookup("sip.ip")
	addr, err := netip.ParseAddr(doc.Text("sip.ip"))
	if err != nil || !addr.Is4() {
		wrong.add("sip.ip", "type", "must be an IPv4 address", detail{"target": "ipv4", "cause": v})
	}
}

// deviceType is what a device counts as when it does not say.
func deviceType(doc models.Document) string { return cmp.Or(doc.Text("device_type"), "sip_device") }

// checkDeviceType lets only the master account change the type.
func checkDeviceType(doc models.Document, old *models.Device, actor *models.Account, wrong problems) {
	if old != nil && !actor.IsMaster() && deviceType(doc) != deviceType(old.Document) {
		wrong.add("device_type", "invalid", "cannot be changed", detail{"cause": doc.Text("device_type")})
	}
}

// checkUnique asks the store who else has the document's unique values, when
// they are new.
func (rs rules) checkUnique(ctx context.Context, account *models.Account, doc models.Document, old *models.Device, wrong problems) error {
	unique := uniqueMembers(doc)
	candidate := &models.Device{AccountID: account.ID}
	if old != nil {
		if reflect.DeepEqual(uniqueMembers(old.Document), unique) {
			return nil
		}
		candidate.ID = old.ID
	}
	if err := candidate.SetDocument(unique); err != nil {
		return err
	}
	taken, err := rs.store.DeviceTaken(ctx, &models.Phone{Device: candidate, Account: account})
	wrong.addTaken(taken, unique)
	return err
}

// uniqueMembers is the part of a device document that uniqueness depends on,
// whatever the rest looks like.
func uniqueMembers(doc models.Document) models.Document {
	out := models.Document{}
	for _, path := range []string{"mac_address", "sip.username", "sip.realm", "sip.method", "sip.ip"} {
		if text := doc.Text(path); text != "" {
			out.Set(path, text)
		}
	}
	if doc["device_type"] == models.DeviceMobile && doc.Text("mobile.mdn") != "" {
		out.Set("device_type", models.DeviceMobile)
		out.Set("mobile.mdn", doc.Text("mobile.mdn"))
	}
	if mac := models.CleanMAC(doc.Text("mac_address")); mac == "" {
		out.Delete("mac_address")
	}
	return out
}
