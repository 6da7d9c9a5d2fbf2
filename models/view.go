package models

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// A viewer reads members of documents, by their exact names, into typed views.
// What is absent or null reads as the zero value. The first member that is of
// another type than it must be is the error.
type viewer struct{ err error }

func (v *viewer) wrong(name, want string) {
	if v.err == nil {
		v.err = fmt.Errorf("%w document: %s is no %s", ErrInvalid, name, want)
	}
}

func (v *viewer) object(in map[string]any, name string) map[string]any {
	object, ok := in[name].(map[string]any)
	if !ok && in[name] != nil {
		v.wrong(name, "object")
	}
	return object
}

func (v *viewer) text(in map[string]any, name string) string {
	text, ok := in[name].(string)
	if !ok && in[name] != nil {
		v.wrong(name, "text")
	}
	return text
}

func (v *viewer) texts(in map[string]any, name string) []string {
	list, ok := in[name].([]any)
	if !ok {
		if in[name] != nil {
			v.wrong(name, "list")
		}
		return nil
	}
	texts := make([]string, len(list))
	for i, item := range list {
		if texts[i], ok = item.(string); !ok && item != nil {
			v.wrong(name, "list of texts")
		}
	}
	return texts
}

func (v *viewer) flag(in map[string]any, name string) bool {
	flag, ok := in[name].(bool)
	if !ok && in[name] != nil {
		v.wrong(name, "boolean")
	}
	return flag
}

func (v *viewer) whole(in map[string]any, name string) int {
	if in[name] == nil {
		return 0
	}
	number, _ := in[name].(json.Number)
	whole, err := strconv.Atoi(number.String())
	if err != nil {
		v.wrong(name, "whole number")
	}
	return whole
}

func (v *viewer) account(doc Document) AccountSettings {
	return AccountSettings{
		Name:     v.text(doc, "name"),
		Realm:    v.text(doc, "realm"),
		Enabled:  switchOf(doc["enabled"]),
		Timezone: v.text(doc, "timezone"),
		Language: v.text(doc, "language"),
	}
}

func (v *viewer) user(doc Document) UserSettings {
	return UserSettings{
		FirstName:  v.text(doc, "first_name"),
		LastName:   v.text(doc, "last_name"),
		Name:       v.text(doc, "name"),
		Username:   v.text(doc, "username"),
		Email:      v.text(doc, "email"),
		Enabled:    switchOf(doc["enabled"]),
		PresenceID: v.text(doc, "presence_id"),
		Timezone:   v.text(doc, "timezone"),
		Language:   v.text(doc, "language"),
	}
}

func (v *viewer) device(doc Document) DeviceSettings {
	return DeviceSettings{
		Name:       v.text(doc, "name"),
		Enabled:    switchOf(doc["enabled"]),
		DeviceType: v.text(doc, "device_type"),
		OwnerID:    v.text(doc, "owner_id"),
		MACAddress: v.text(doc, "mac_address"),
		PresenceID: v.text(doc, "presence_id"),
		Language:   v.text(doc, "language"),
		Timezone:   v.text(doc, "timezone"),
		SIP:        v.sip(v.object(doc, "sip")),
		Media:      v.media(v.object(doc, "media")),
		Provision:  v.provision(v.object(doc, "provision")),
	}
}

func (v *viewer) sip(object map[string]any) SIPSettings {
	return SIPSettings{
		Username:      v.text(object, "username"),
		Password:      Secret(v.text(object, "password")),
		Method:        v.text(object, "method"),
		IP:            v.text(object, "ip"),
		Realm:         v.text(object, "realm"),
		Proxy:         v.text(object, "proxy"),
		Transport:     v.text(object, "transport"),
		ExpireSeconds: v.whole(object, "expire_seconds"),
	}
}

func (v *viewer) media(object map[string]any) (m MediaSettings) {
	encryption := v.object(object, "encryption")
	m.Audio.Codecs = v.texts(v.object(object, "audio"), "codecs")
	m.Encryption.Methods = v.texts(encryption, "methods")
	m.Encryption.EnforceSecurity = v.flag(encryption, "enforce_security")
	return m
}

func (v *viewer) provision(object map[string]any) ProvisionSettings {
	return ProvisionSettings{
		ID:          v.text(object, "id"),
		Brand:       v.text(object, "endpoint_brand"),
		Family:      v.text(object, "endpoint_family"),
		Model:       modelOf(object["endpoint_model"]),
		ComboKeys:   KeysOf(object["combo_keys"]),
		FeatureKeys: KeysOf(object["feature_keys"]),
		Lines:       linesOf(object["lines"]),
	}
}
