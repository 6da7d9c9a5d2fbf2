# One file for all phones of the account: nothing of one device, and no secret.
provisioning.interval = 86400
