// Package models holds Dialtone's domain types and the rules that belong to
// them alone: what a MAC is, when a phone is enabled, which AOR a device has.
// It knows no database, no HTTP, no SIP stack and no vendor.
package models
