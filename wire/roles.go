package wire

import (
	"slices"

	"statnet/crypto/pki"
	"statnet/wire/pb"
)

// allowed is the one table of who may call what. A method that is not in it is
// refused to everyone; a test compares it with what a Server serves.
var allowed = map[string][]string{
	pb.LedgerService_Submit_FullMethodName:         pki.Roles,
	pb.LedgerService_GetCheckpoint_FullMethodName:  pki.Roles,
	pb.LedgerService_GetTicket_FullMethodName:      pki.Roles,
	pb.LedgerService_GetEntries_FullMethodName:     pki.Roles,
	pb.LedgerService_GetProof_FullMethodName:       pki.Roles,
	pb.LedgerService_GetConsistency_FullMethodName: pki.Roles,
	pb.LedgerService_Watch_FullMethodName:          pki.Roles,

	// Verifiers fetch blobs and never put them: what they know came to them.
	pb.BlobService_Put_FullMethodName: {pki.RoleGateway, pki.RoleServer, pki.RoleQuerier},
	pb.BlobService_Get_FullMethodName: pki.Roles,
	pb.BlobService_Has_FullMethodName: pki.Roles,

	pb.PeerService_Forward_FullMethodName:         {pki.RoleVerifier},
	pb.PeerService_PushCosignature_FullMethodName: {pki.RoleVerifier},
	pb.PeerService_ClaimTime_FullMethodName:       {pki.RoleVerifier},

	pb.GatewayLinkService_Attach_FullMethodName: {pki.RoleGateway},

	pb.ServerService_Distribute_FullMethodName: {pki.RoleServer},
	pb.ServerService_Ready_FullMethodName:      {pki.RoleServer},
	pb.ServerService_Deal_FullMethodName:       {pki.RoleServer},

	pb.QueryService_Run_FullMethodName: {pki.RoleQuerier},

	pb.StatusService_Get_FullMethodName: pki.Roles,
}

// mayCall reports whether role may call a method, by its full name.
func mayCall(method, role string) bool {
	return slices.Contains(allowed[method], role)
}
