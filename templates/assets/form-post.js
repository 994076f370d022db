// Sends the authorization response at once (OAuth 2.0 Form Post Response Mode). Without JavaScript the
// Continue button does the same. A field may be called "submit", so the method comes from the prototype.
HTMLFormElement.prototype.submit.call(document.getElementById("form-post"));
