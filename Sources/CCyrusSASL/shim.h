#pragma once
#include <sasl/sasl.h>
#include <sasl/saslplug.h>
#include <sasl/saslutil.h>
#include <sasl/prop.h>

// Cyrus keeps callbacks of every type as `int (*)(void)`. These give each its type back.
static inline sasl_callback_t martlet_sasl_getopt(sasl_getopt_t *proc, void *context) {
  return (sasl_callback_t){SASL_CB_GETOPT, (int (*)(void))proc, context};
}
static inline sasl_callback_t martlet_sasl_log(sasl_log_t *proc, void *context) {
  return (sasl_callback_t){SASL_CB_LOG, (int (*)(void))proc, context};
}
static inline sasl_callback_t martlet_sasl_verifyfile(sasl_verifyfile_t *proc, void *context) {
  return (sasl_callback_t){SASL_CB_VERIFYFILE, (int (*)(void))proc, context};
}
static inline sasl_callback_t martlet_sasl_proxy_policy(sasl_authorize_t *proc, void *context) {
  return (sasl_callback_t){SASL_CB_PROXY_POLICY, (int (*)(void))proc, context};
}
static inline sasl_callback_t martlet_sasl_checkpass(sasl_server_userdb_checkpass_t *proc, void *context) {
  return (sasl_callback_t){SASL_CB_SERVER_USERDB_CHECKPASS, (int (*)(void))proc, context};
}
static inline sasl_callback_t martlet_sasl_list_end(void) {
  return (sasl_callback_t){SASL_CB_LIST_END, 0, 0};
}

// The context given with the connection's checkpass callback: how a plug-in's lookup finds its exchange.
static inline void *martlet_sasl_context(sasl_server_params_t *params) {
  int (*proc)(void) = 0;
  void *context = 0;
  if (params->utils->getcallback(params->utils->conn, SASL_CB_SERVER_USERDB_CHECKPASS, &proc, &context) != SASL_OK)
    return 0;
  return context;
}
