// What an API server makes of a token: the authenticator that `--authentication-config` configures.
//
// Usage: kubernetes AUTHENTICATION.YAML CA.PEM, with a token on each line of the standard input.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/install"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/apiserver/plugin/pkg/authenticator/token/oidc"
)

func main() {
	written, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	scheme := runtime.NewScheme()
	install.Install(scheme)
	utilruntime.Must(apiserver.AddToScheme(scheme))
	strict := serializer.NewCodecFactory(scheme, serializer.EnableStrict)
	var configuration apiserver.AuthenticationConfiguration
	if err := runtime.DecodeInto(strict.UniversalDecoder(), written, &configuration); err != nil {
		log.Fatal(err)
	}
	compiler := authenticationcel.NewDefaultCompiler()
	if problems := validation.ValidateAuthenticationConfiguration(compiler, &configuration, nil); len(problems) > 0 {
		log.Fatal(problems.ToAggregate())
	}
	authority, err := dynamiccertificates.NewDynamicCAContentFromFile("issuer", os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	authenticator, err := oidc.New(ctx, oidc.Options{
		JWTAuthenticator:     configuration.JWT[0],
		CAContentProvider:    authority,
		SupportedSigningAlgs: oidc.AllValidSigningAlgorithms(),
	})
	if err != nil {
		log.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); authenticator.HealthCheck() != nil; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			log.Fatal(authenticator.HealthCheck())
		}
	}
	for tokens := bufio.NewScanner(os.Stdin); tokens.Scan(); {
		answer, ok, err := authenticator.AuthenticateToken(ctx, tokens.Text())
		switch {
		case err != nil:
			fmt.Println("refused:", err)
		case !ok:
			fmt.Println("not for this authenticator")
		default:
			json.NewEncoder(os.Stdout).Encode(map[string]any{
				"username": answer.User.GetName(), "groups": answer.User.GetGroups(),
			})
		}
	}
}
