package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"dialtone/models"
	"dialtone/phonesim"
)

// phoneFlags are the flags of `dialtone phone`.
type phoneFlags struct {
	brand, model, mac, url string
	user, password         string
	sipListen              string
	templates              string
	count                  int
	once                   bool

	inStorm, yes bool
	atOnce       int
	ca           string
}

// newPhoneCommand makes `dialtone phone`, a software phone or a fleet of them.
func newPhoneCommand() *cobra.Command {
	var f phoneFlags
	var fleet *phonesim.Fleet
	var storm phonesim.Storm
	cmd := &cobra.Command{
		Use:   "phone --brand B --model M --mac MAC --url URL",
		Short: "Be a phone: boot from a provisioning URL, register, obey check-sync",
		Long: `Be a phone: fetch configuration files as the brand's firmware does, register
with the SIP account they hold, and boot again when told to by check-sync.
Prints one line per request and, after a check-sync, the settings that changed.

With --storm all phones boot once, as after a power cut: each over a connection of
its own, with all its files, and one registration, which is left to expire. Prints
figures instead of lines. Only to servers on this machine, unless there is --yes.`,
		Example: "  dialtone phone --brand B --model M --mac 00:15:65:aa:bb:01 --url http://192.0.2.1:8080/p/TOKEN/",
		Args:    cobra.NoArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := cmd.ValidateRequiredFlags(); err != nil {
				return err
			}
			if f.inStorm {
				storm, err = f.storm(cmd.Context())
				return err
			}
			fleet, err = f.fleet(cmd.OutOrStdout())
			return err
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.inStorm {
				return runStorm(cmd, storm)
			}
			return fleet.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.brand, "brand", "", "brand, as in the templates folder")
	flags.StringVar(&f.model, "model", "", "model of that brand, or one of its aliases")
	flags.StringVar(&f.mac, "mac", "", "MAC address in any spelling; the first one of a fleet")
	flags.StringVar(&f.url, "url", "", "provisioning URL, http://host/p/TOKEN/ or http://user:password@host/")
	flags.StringVar(&f.sipListen, "sip-listen", "", "host:port to receive SIP on (default: any port of the address that reaches the SIP server)")
	flags.BoolVar(&f.once, "once", false, "stop after the first boot and registration; fail when they do")
	flags.IntVar(&f.count, "count", 1, "be this many phones, with consecutive MACs")
	flags.BoolVar(&f.inStorm, "storm", false, "have all phones boot once, and print how long that took")
	flags.IntVar(&f.atOnce, "at-once", 200, "phones that boot at a time in a storm")
	flags.BoolVar(&f.yes, "yes", false, "let a storm loose on a server that is not on this machine")
	flags.StringVar(&f.ca, "ca", "", "PEM file of authorities that phones in a storm trust (default: the system's)")
	flags.StringVar(&f.user, "http-user", "", "user for HTTP digest challenges (default: the MAC)")
	flags.StringVar(&f.password, "http-password", "", "password for HTTP digest challenges")
	flags.StringVar(&f.templates, "templates", "", "folder whose files replace the built-in templates")
	addOutput(cmd)
	for _, single := range []string{"once", "sip-listen"} {
		cmd.MarkFlagsMutuallyExclusive("storm", single)
	}
	for _, name := range []string{"brand", "model", "mac", "url"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag is defined above
		}
	}
	return cmd
}

// fleet makes the phones that the flags ask for; its errors name the flag.
func (f *phoneFlags) fleet(out io.Writer) (*phonesim.Fleet, error) {
	o, err := f.options(out)
	if err != nil {
		return nil, err
	}
	fleet, err := phonesim.NewFleet(o, f.count)
	return fleet, flagged(err)
}

// options are those of the first phone.
func (f *phoneFlags) options(out io.Writer) (phonesim.Options, error) {
	mac, err := models.ParseMAC(f.mac)
	if err != nil {
		return phonesim.Options{}, fmt.Errorf("--mac: %w", err)
	}
	catalog, err := loadTemplates(f.templates)
	if err != nil {
		return phonesim.Options{}, fmt.Errorf("--templates: %w", err)
	}
	phonesim.Quiet()
	return phonesim.Options{
		Catalog: catalog, Brand: f.brand, Model: f.model, MAC: mac, URL: f.url,
		HTTPUser: f.user, HTTPPassword: models.Secret(f.password),
		SIPListen: f.sipListen, Once: f.once, Out: out,
	}, nil
}

// flagged names the flag of an option that is wrong.
func flagged(err error) error {
	if bad, ok := errors.AsType[*phonesim.OptionError](err); ok {
		return fmt.Errorf("--%s: %w", bad.Option, bad.Err)
	}
	return err
}
