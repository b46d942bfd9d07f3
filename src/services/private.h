/* Whether an endpoint can be reached from this machine alone, for services that are not for everybody. */
#ifndef SERVICES_PRIVATE_H
#define SERVICES_PRIVATE_H

#include <weir/endpoint.h>

/*
 * Looks names up, which blocks. A name that has no address counts as private: who binds it is told so. One that could
 * not be looked up does not.
 */
bool endpoint_is_private(const weir_endpoint *endpoint);

#endif
