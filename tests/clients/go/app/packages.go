// Package packages names what the programs of the guides import.
package packages

import (
	_ "github.com/coreos/go-oidc/v3/oidc"
	_ "github.com/gorilla/sessions"
	_ "github.com/markbates/goth/gothic"
	_ "github.com/markbates/goth/providers/openidConnect"
	_ "golang.org/x/oauth2"
)
