/* scheme: see scheme.h. */
#include "hook/scheme.h"

#include "base/check.h"

const char HOOK_SCHEME_NAMES[] =
    "stripe|github|shopify|slack|hubspot|zendesk|standard|svix|intercom|jira|typeform|square|gitlab|"
    "calendly|zoom|meta|twilio|hmac|token|none";

const struct hook_scheme HOOK_SCHEMES[] = {
    /* https://docs.stripe.com/webhooks#verify-manually */
    {.name = "stripe",
     .header = "Stripe-Signature",
     .form = HOOK_PAIRS,
     .mark = "v1",
     .hash = CRYPTO_SHA256,
     .message = "{timestamp}.{body}",
     .timestamp = "t",
     .tolerance_ms = 300000,
     .id = "id"},
    /* https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries */
    {.name = "github",
     .header = "X-Hub-Signature-256",
     .mark = "sha256=",
     .hash = CRYPTO_SHA256,
     .message = "{body}",
     .id = "header:X-GitHub-Delivery"},
    /* https://shopify.dev/docs/apps/build/webhooks/subscribe/https */
    {.name = "shopify",
     .header = "X-Shopify-Hmac-Sha256",
     .mark = "",
     .hash = CRYPTO_SHA256,
     .is_base64 = true,
     .message = "{body}",
     .id = "header:X-Shopify-Webhook-Id"},
    /* https://docs.slack.dev/authentication/verifying-requests-from-slack */
    {.name = "slack",
     .header = "X-Slack-Signature",
     .mark = "v0=",
     .hash = CRYPTO_SHA256,
     .message = "v0:{timestamp}:{body}",
     .timestamp = "X-Slack-Request-Timestamp",
     .tolerance_ms = 300000,
     .id = "event_id",
     .challenge = HOOK_SLACK},
    /* https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests, version 3 */
    {.name = "hubspot",
     .header = "X-HubSpot-Signature-v3",
     .mark = "",
     .hash = CRYPTO_SHA256,
     .is_base64 = true,
     .message = "{method}{url}{body}{timestamp}",
     .timestamp = "X-HubSpot-Request-Timestamp",
     .tolerance_ms = 300000,
     .decodes_url = true},
    /* https://developer.zendesk.com/documentation/webhooks/verifying/ */
    {.name = "zendesk",
     .header = "X-Zendesk-Webhook-Signature",
     .mark = "",
     .hash = CRYPTO_SHA256,
     .is_base64 = true,
     .message = "{timestamp}{body}",
     .timestamp = "X-Zendesk-Webhook-Signature-Timestamp",
     .id = "header:X-Zendesk-Webhook-Invocation-Id"},
    /* https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
    {.name = "standard",
     .header = "webhook-signature",
     .form = HOOK_LIST,
     .mark = "v1,",
     .hash = CRYPTO_SHA256,
     .is_base64 = true,
     .has_base64_key = true,
     .message = "{id}.{timestamp}.{body}",
     .timestamp = "webhook-timestamp",
     .tolerance_ms = 300000,
     .id = "header:webhook-id"},
    /* https://docs.svix.com/receiving/verifying-payloads/how-manual */
    {.name = "svix",
     .header = "svix-signature",
     .form = HOOK_LIST,
     .mark = "v1,",
     .hash = CRYPTO_SHA256,
     .is_base64 = true,
     .has_base64_key = true,
     .message = "{id}.{timestamp}.{body}",
     .timestamp = "svix-timestamp",
     .tolerance_ms = 300000,
     .id = "header:svix-id"},
    /* https://developers.intercom.com/docs/references/webhooks/webhook-models: signed notifications */
    {.name = "intercom", .header = "X-Hub-Signature", .mark = "sha1=", .hash = CRYPTO_SHA1, .message = "{body}", .id = "id"},
    /* https://developer.atlassian.com/cloud/jira/platform/webhooks/ */
    {.name = "jira",
     .header = "X-Hub-Signature",
     .mark = "sha256=",
     .hash = CRYPTO_SHA256,
     .message = "{body}",
     .id = "header:X-Atlassian-Webhook-Identifier"},
    /* https://www.typeform.com/developers/webhooks/secure-your-webhooks/ */
    {.name = "typeform",
     .header = "Typeform-Signature",
     .mark = "sha256=",
     .hash = CRYPTO_SHA256,
     .is_base64 = true,
     .message = "{body}",
     .id = "event_id"},
    /* https://developer.squareup.com/docs/webhooks/step3validate */
    {.name = "square",
     .header = "x-square-hmacsha256-signature",
     .mark = "",
     .hash = CRYPTO_SHA256,
     .is_base64 = true,
     .message = "{url}{body}",
     .id = "event_id"},
    /* https://docs.gitlab.com/user/project/integrations/webhooks/ */
    {.name = "gitlab", .header = "X-Gitlab-Token", .mark = "", .is_token = true, .id = "header:X-Gitlab-Event-UUID"},
    /* https://developer.calendly.com/api-docs/ZG9jOjM2MzE2MDM4-webhook-signatures */
    {.name = "calendly",
     .header = "Calendly-Webhook-Signature",
     .form = HOOK_PAIRS,
     .mark = "v1",
     .hash = CRYPTO_SHA256,
     .message = "{timestamp}.{body}",
     .timestamp = "t",
     .tolerance_ms = 180000},
    /* https://developers.zoom.us/docs/api/webhooks/#verify-webhook-events */
    {.name = "zoom",
     .header = "x-zm-signature",
     .mark = "v0=",
     .hash = CRYPTO_SHA256,
     .message = "v0:{timestamp}:{body}",
     .timestamp = "x-zm-request-timestamp",
     .tolerance_ms = 300000,
     .challenge = HOOK_ZOOM},
    /* https://developers.facebook.com/docs/graph-api/webhooks/getting-started */
    {.name = "meta",
     .header = "X-Hub-Signature-256",
     .mark = "sha256=",
     .hash = CRYPTO_SHA256,
     .message = "{body}",
     .challenge = HOOK_META},
    /* https://www.twilio.com/docs/usage/security#validating-requests, of forms */
    {.name = "twilio",
     .header = "X-Twilio-Signature",
     .mark = "",
     .hash = CRYPTO_SHA1,
     .is_base64 = true,
     .message = "{url}{form}",
     .id = "header:I-Twilio-Idempotency-Token"},
    {.name = "hmac", .header = "", .mark = "", .hash = CRYPTO_SHA256, .message = "{body}"},
    {.name = "token", .header = "", .mark = "", .is_token = true},
    {.name = "none"},
};
const size_t HOOK_SCHEME_COUNT = ARRAY_SIZE(HOOK_SCHEMES);

const struct hook_scheme *hook_scheme_find(struct str name)
{
    for (size_t i = 0; i < HOOK_SCHEME_COUNT; i++)
        if (str_equal(name, str_from(HOOK_SCHEMES[i].name))) return &HOOK_SCHEMES[i];
    return NULL;
}
