package models

import "time"

// Why a phone was not let in. Outside, nobody is told.
const (
	RefusedNothing        RefusalRule = "nothing_presented"
	RefusedToken          RefusalRule = "wrong_token"
	RefusedTokenOff       RefusalRule = "token_off"
	RefusedHeader         RefusalRule = "unusable_credentials"
	RefusedPassword       RefusalRule = "wrong_password"
	RefusedPasswordOff    RefusalRule = "password_off"
	RefusedStale          RefusalRule = "old_challenge"
	RefusedCertificate    RefusalRule = "wrong_certificate"
	RefusedCertificateMAC RefusalRule = "certificate_without_device"
	RefusedCertificateOff RefusalRule = "certificate_off"
	RefusedUnknown        RefusalRule = "unknown_device"
	RefusedForeign        RefusalRule = "foreign_device"
	RefusedDisabled       RefusalRule = "disabled"
	RefusedLocked         RefusalRule = "locked_out"
	RefusedDecoy          RefusalRule = "decoy"
	RefusedStrange        RefusalRule = "strange_source"
	RefusedClear          RefusalRule = "secrets_in_the_clear"
)

// A RefusalRule is one of the Refused constants.
type RefusalRule string

var refusalHints = map[RefusalRule]string{
	RefusedNothing:        "present the path token, the device's credentials or a certificate, ask from one of provision.access.networks, or open the device for first contact",
	RefusedToken:          "use the account's provisioning URL as it is now",
	RefusedTokenOff:       "set provision.access.token, or present what the account accepts",
	RefusedHeader:         "send digest credentials for the address that was asked for; basic ones count over TLS only",
	RefusedPassword:       "use the device's HTTP credentials as they are now, see its provision",
	RefusedPasswordOff:    "set provision.access.password, or present what the account accepts",
	RefusedStale:          "answer the new challenge, as phones do by themselves",
	RefusedCertificate:    "present a certificate that was issued by an authority in phones.client_ca_dir, for this phone, and that is good today",
	RefusedCertificateMAC: "create a device of the certificate's brand with its MAC",
	RefusedCertificateOff: "set provision.access.certificate, or present what the account accepts",
	RefusedUnknown:        "create a device with this MAC in the account",
	RefusedForeign:        "ask with what belongs to this phone: the token of its account, or its own credentials",
	RefusedDisabled:       "enable the device, its owner and its account",
	RefusedLocked:         "wait: the source asked too often with what is wrong, or for phones that do not exist; limits.exempt names networks that are never locked out",
	RefusedDecoy:          "nothing: no phone has this MAC, and the source is locked out for an hour",
	RefusedStrange:        "wait, present the device's credentials or a certificate, or rotate the path token: it is being used to look for phones",
	RefusedClear:          "fetch by HTTPS, or unset provision.access.require_tls_for_secrets",
}

// Hint is what would have let it pass.
func (r RefusalRule) Hint() string { return refusalHints[r] }

// A Refusal is requests of one kind that were refused: one account, rule, file
// and source. What is of the newest request says so.
type Refusal struct {
	AccountID string
	DeviceID  string // "" = of no device
	Rule      RefusalRule
	MAC       string // of the file, "" when it names none
	File      string
	Source    string // address, no port
	Method    string // newest
	Status    int    // newest: what the phone was answered
	UserAgent string // newest
	Requests  int
	First     time.Time
	Last      time.Time
}
